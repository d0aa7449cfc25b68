//! What a started server says: where it is, where its data is, and how to try it. Never a secret.

use std::fmt::Write;
use std::path::Path;

use crate::app::App;
use crate::command::first_run::demo_file;
use crate::customer::people;

const EXAMPLE: &str = r#"{"model":"kling-3.0/video","inputMode":"text_to_video","prompt":"A slow cinematic dolly around a ceramic coffee cup on a kitchen island, morning light, 35mm film","aspectRatio":"16:9","resolution":"720p","duration":5}"#;

pub async fn banner(app: &App) -> anyhow::Result<String> {
    let config = &app.config;
    let mut text = format!("Reelmeter {} on {}\n", env!("CARGO_PKG_VERSION"), config.public_url());
    match config.sqlite_file() {
        Some(file) => {
            writeln!(text, "  data      {} (database {})", config.data_dir.display(), file.display())?
        }
        None => writeln!(text, "  data      PostgreSQL, and {}", config.data_dir.display())?,
    }
    let demo = demo_file(config);
    if demo.exists() && people::has_demo(app.db.read()).await? {
        writeln!(text, "  demo      {} (its API key and passwords)", demo.display())?;
        write!(text, "\nTry it:\n\n  {}\n", curl(&demo))?;
    } else if people::is_empty(app.db.read()).await? {
        writeln!(text, "  nobody can sign in yet: `reelmeter admin create-admin` makes the first one")?;
    }
    Ok(text)
}

/// One line that works as it is in bash: the key comes from the file.
fn curl(demo: &Path) -> String {
    let file = quoted(&demo.display().to_string());
    format!(
        r#"source {file} && curl -s "$REEL_HOST/api/ai/video/generate" -H "Authorization: Bearer $REEL_API_KEY" -H "Content-Type: application/json" -d '{EXAMPLE}'"#
    )
}

/// A path as one word of a shell. `source` looks a name without a slash up in PATH.
fn quoted(path: &str) -> String {
    let path = if path.contains('/') { path.to_owned() } else { format!("./{path}") };
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted("data/demo.env"), "data/demo.env");
        assert_eq!(quoted("demo.env"), "./demo.env");
        assert_eq!(quoted("/my data/it's/demo.env"), r"'/my data/it'\''s/demo.env'");
    }
}
