//! From the name and version in a transaction's header to the family that applies it.

use ledger_types::family::{FamilyDescription, FamilyRegistry, TransactionFamily};

use crate::bgt::Bgt;
use crate::intkey::Intkey;
use crate::settings::Settings;
use crate::xo::Xo;

/// The families that this node knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registry;

/// The families that this node knows.
pub fn registry() -> Registry {
    Registry
}

static FAMILIES: [&dyn TransactionFamily; 4] = [&Settings, &Bgt, &Intkey, &Xo];

impl FamilyRegistry for Registry {
    fn find(&self, name: &str, version: &str) -> Option<&dyn TransactionFamily> {
        FAMILIES.into_iter().find(|family| {
            let description = family.describe();
            description.version == version && description.names.contains(&name)
        })
    }

    fn describe_all(&self) -> Vec<FamilyDescription> {
        FAMILIES.iter().map(|family| family.describe()).collect()
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::family::FamilyRegistry as _;

    use super::registry;

    #[test]
    fn a_family_answers_to_its_names_and_its_one_version() {
        for name in ["sawtooth_settings", "dgt_settings", "bgt", "intkey", "xo"] {
            let family = registry();
            let family = family.find(name, "1.0").unwrap();
            assert!(family.describe().names.contains(&name), "{name}");
            assert!(registry().find(name, "1.1").is_none(), "{name}");
        }
        assert!(registry().find("", "1.0").is_none());
        assert!(registry().find("Intkey", "1.0").is_none());
        assert_eq!(registry().describe_all().len(), 4);
    }
}
