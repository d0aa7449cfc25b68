// Requests go to where this page came from, however the document names the server.
fetch("openapi.json")
  .then((response) => response.json())
  .then((spec) => {
    spec.servers = [{ url: new URL(".", location.href).href.replace(/\/$/, "") }];
    SwaggerUIBundle({
      dom_id: "#ui",
      spec,
      deepLinking: true,
      displayRequestDuration: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  });
