//! Fields that clients call by several names.

use super::Fields;

/// A value, and the name that its sender gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T> {
    pub name: &'static str,
    pub value: T,
}

impl Fields {
    /// The value of whichever of these names is there. Two that differ are an error that names both.
    pub fn any_of<T: PartialEq>(
        &mut self,
        names: &[&'static str],
        mut read: impl FnMut(&mut Fields, &'static str) -> Option<T>,
    ) -> Option<Named<T>> {
        let mut found: Option<Named<T>> = None;
        for name in names.iter().copied() {
            let Some(value) = read(self, name) else { continue };
            match &found {
                None => found = Some(Named { name, value }),
                Some(first) if first.value != value => {
                    self.wrong(name, format!("Contradicts {}: send one of them", first.name));
                }
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (Option<Named<u32>>, bool) {
        let mut fields = Fields::parse(json.as_bytes()).unwrap();
        let found = fields.any_of(&["seconds", "duration"], Fields::whole);
        (found, fields.finish().is_ok())
    }

    #[test]
    fn any_name_will_do_and_names_that_differ_are_refused() {
        let five = |name| Some(Named { name, value: 5 });
        assert_eq!(read(r#"{"duration": "5"}"#), (five("duration"), true));
        assert_eq!(read(r#"{"duration": 5, "seconds": "5"}"#), (five("seconds"), true));
        assert_eq!(read(r#"{"duration": 6, "seconds": 5}"#), (five("seconds"), false));
        assert_eq!(read("{}"), (None, true));
    }
}
