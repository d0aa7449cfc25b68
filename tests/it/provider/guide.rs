//! docs/PROVIDERS.md says what the program does.

use reelmeter::provider::Reconcile;
use reelmeter::provider::registry::ADAPTERS;
use reelmeter::video::catalog::Catalog;

use super::cases::Stage;
use super::sample;

fn guide() -> String {
    std::fs::read_to_string(sample::repository().join("docs/PROVIDERS.md")).expect("the guide")
}

/// A row of the table of what each can do.
fn row(stage: &Stage, catalog: &Catalog, instance: &str) -> String {
    let abilities = stage.instance(instance).abilities();
    let routed = |model: &&std::sync::Arc<reelmeter::video::catalog::Model>| {
        model.routes.iter().any(|route| route.provider == instance)
    };
    let models = catalog.models().iter().filter(routed).count();
    let rate = abilities
        .rate
        .map_or_else(|| "–".to_owned(), |rate| format!("{} in {} s", rate.submissions, rate.seconds));
    let stops = if abilities.can_cancel { "yes" } else { "no" };
    let found = match abilities.reconcile {
        Reconcile::Keyed => "by our key",
        Reconcile::Listable => "in its list",
        Reconcile::Callback => "by its callback",
        Reconcile::Opaque => "no",
    };
    format!("| {instance} | {models} | {} | {rate} | {stops} | {found} |", abilities.slots)
}

#[tokio::test]
async fn the_table_says_what_each_provider_can_do() {
    let catalog = Catalog::load_dir(&sample::repository().join("catalog")).expect("the catalog loads");
    let guide = guide();
    let mut missing = Vec::new();
    for stage in Stage::of_each().await {
        let instances = stage.cases.instances.iter().map(|instance| row(&stage, &catalog, &instance.name));
        missing.extend(instances.filter(|row| !guide.lines().any(|line| line == row)));
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    for provider in catalog.providers().iter().filter(|provider| provider.name != "sandbox") {
        assert!(guide.contains(&format!("\n| {} |", provider.name)), "no test has {}", provider.name);
    }
}

#[test]
fn every_provider_has_a_section_with_its_settings() {
    let catalog = Catalog::load_dir(&sample::repository().join("catalog")).expect("the catalog loads");
    let guide = guide();
    for provider in catalog.providers().iter().filter(|provider| provider.name != "sandbox") {
        let (_, rest) = guide.split_once(&format!("\n### {}\n", provider.name)).expect(&provider.name);
        let section = rest.split("\n#").next().unwrap_or_default();
        let adapter = ADAPTERS.iter().find(|adapter| adapter.name == provider.adapter).expect("an adapter");
        for setting in adapter.settings {
            let name = format!("`{}", setting.name.to_uppercase());
            assert!(section.contains(&name), "{} says nothing of {name}`", provider.name);
        }
    }
}
