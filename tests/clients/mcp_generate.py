"""An MCP client of another project makes a video with `reel mcp`, waits for it, and asks what it cost.

Arguments: the program, the model, the most credits. Host and key come from the environment. Prints what it saw as JSON.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(program, model, max_credits):
    server = StdioServerParameters(command=program, args=["mcp"], env=dict(os.environ))
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]

        async def call(name, **arguments):
            result = json.loads((await session.call_tool(name, arguments)).model_dump_json(by_alias=True))
            assert not result["isError"], result
            return result["structuredContent"]

        order = {"prompt": "A paper boat", "model": model, "max_credits": float(max_credits), "request_id": "boat-1"}
        ordered = await call("generate_video", **order)
        again = await call("generate_video", **order)
        task = ordered
        while task.get("state") not in ("completed", "failed", "canceled", "expired"):
            task = await call("wait_video", task_id=ordered["taskId"], timeout_s=60)
        charge = await call("explain_charge", task_id=ordered["taskId"])
    print(json.dumps({"tools": tools, "ordered": ordered, "again": again, "task": task, "charge": charge}))


asyncio.run(main(*sys.argv[1:]))
