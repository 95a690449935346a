//! What a named table may name.

use crate::escape::printable;
use crate::key::dotted;
use crate::{Error, Key, Named, Override, Result, Schema, unknown};
use toml::Value;

/// The things that a named table may name, each with its own keys: the optimisers of `[optimizer]`.
#[derive(Debug, Clone)]
pub struct Family {
    /// The name of the table: `optimizer`.
    pub table: &'static str,
    /// What one is called: `optimiser`.
    pub kind: &'static str,
    /// The name that a table without a name has; empty for none.
    pub default: &'static str,
    /// Each by name, with its keys.
    pub members: Vec<(&'static str, Schema)>,
    /// Keys that all have, beside their own.
    pub common: Option<Schema>,
    /// Whether a key that only others have is ignored, instead of an error.
    pub lenient: bool,
}

impl Family {
    /// The names.
    pub fn names(&self) -> Vec<&'static str> {
        self.members.iter().map(|(name, _)| *name).collect()
    }

    /// Every key that any of them has, under its dotted name. The key of the name is the first, the one that all have is
    /// the last. A default is that of the one that `named` names, or that of all others if these agree.
    pub fn keys(&self, named: &Named) -> Vec<Key> {
        let named = &self.with_name(named);
        let mut name = Key::named("name", &self.name_range(), &listed(&self.names()));
        name.default = Some(named.name.as_str().into()).filter(|_| !named.name.is_empty());
        let mut keys: Vec<(Key, Vec<&str>)> = Vec::new();
        for (member, schema) in &self.members {
            for key in schema.keys_of(named) {
                match keys.iter_mut().find(|(known, _)| known.name == key.name) {
                    None => keys.push((key, vec![member])),
                    Some((known, of)) if *member == named.name => {
                        *known = key;
                        of.push(member);
                    }
                    Some((known, of)) => {
                        if known.default != key.default && !of.contains(&named.name.as_str()) {
                            (known.default, known.varies) = (None, true);
                        }
                        of.push(member);
                    }
                }
            }
        }
        let told = |(key, of): (Key, Vec<&str>)| match of.len() == self.members.len() {
            true => key,
            false => Key { help: format!("{} ({})", key.help, of.join(", ")), ..key },
        };
        let common = self.common.iter().flat_map(|schema| schema.keys_of(named));
        let all = [name].into_iter().chain(keys.into_iter().map(told)).chain(common);
        all.map(|key| key.within(self.table)).collect()
    }

    /// Makes `change`, whose key is the name within the table, to `named`. The value is checked; whether the one that is
    /// named has the key is not, since its name may change yet.
    ///
    /// # Errors
    /// A key that none has, a value of the wrong type or out of range.
    pub fn change(&self, named: &mut Named, change: &Override) -> Result<()> {
        if change.key() == "name" {
            return named.change(self.table, self.kind, change);
        }
        let value = self.value(named, change)?;
        named.rest.insert(change.key().into(), value);
        Ok(())
    }

    fn value(&self, named: &Named, change: &Override) -> Result<Value> {
        let (own, others): (Vec<_>, Vec<_>) = self.members.iter().partition(|(name, _)| *name == named.name);
        let mut schemas = own.into_iter().chain(others).map(|(_, schema)| schema).chain(self.common);
        match schemas.find(|schema| has(schema, change.key())) {
            Some(schema) => schema.value(self.table, change),
            None => Err(self.unknown_key(named, change.key())),
        }
    }

    /// Removes from `named` each key that the one of that name does not have and for which `stays` is false. For an
    /// unknown name nothing is removed.
    pub fn keep_own(&self, named: &mut Named, stays: impl Fn(&str) -> bool) {
        let Ok(schema) = self.member(&self.with_name(named).name) else { return };
        named.rest.retain(|key, _| stays(key) || has(&schema, key) || self.is_common(key));
    }

    /// Errs unless the name is known, each key is of one of them, and each value is in its range.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self, named: &Named) -> Result<()> {
        let named = &self.with_name(named);
        self.member(&named.name)?;
        let one = |(key, value): (&String, &Value)| self.value(named, &Override::new(key, value.clone())).map(drop);
        named.rest.iter().try_for_each(one)
    }

    /// `named` with all values of the keys that it has.
    ///
    /// # Errors
    /// An unknown name or key, a key that only others have (unless these are ignored), a value of the wrong type or out
    /// of range.
    pub fn resolve(&self, named: &Named) -> Result<Named> {
        let named = &self.with_name(named);
        let schema = self.member(&named.name)?;
        let [mut own, mut common] = [Named::new(&*named.name), Named::new(&*named.name)];
        for (key, value) in &named.rest {
            if has(&schema, key) {
                own.set(key, value.clone());
            } else if self.is_common(key) {
                common.set(key, value.clone());
            } else {
                let of: Vec<&str> =
                    self.members.iter().filter(|(_, other)| has(other, key)).map(|(name, _)| *name).collect();
                if of.is_empty() {
                    return Err(self.unknown_key(named, key));
                }
                self.value(named, &Override::new(key, value.clone()))?;
                if !self.lenient {
                    let name = printable(&named.name);
                    let detail = format!("{}.{key}: {name} has none; it is of {}", self.table, of.join(", "));
                    return Err(Error::Usage(detail));
                }
            }
        }
        let mut rest = schema.resolve(&own, self.table)?;
        if let Some(schema) = &self.common {
            rest.extend(schema.resolve(&common, self.table)?);
        }
        Ok(Named { name: named.name.clone(), rest })
    }

    fn with_name(&self, named: &Named) -> Named {
        let name = if named.name.is_empty() { self.default } else { &named.name };
        Named { name: name.into(), rest: named.rest.clone() }
    }

    fn member(&self, name: &str) -> Result<Schema> {
        let found = self.members.iter().find(|(member, _)| *member == name);
        found.map(|(_, schema)| *schema).ok_or_else(|| {
            Error::Usage(format!("{}: {}", dotted(self.table, "name"), unknown(self.kind, name, &self.names())))
        })
    }

    fn unknown_key(&self, named: &Named, key: &str) -> Error {
        let own = self.member(&named.name).map_or_else(|_| Vec::new(), |schema| schema.keys_of(named));
        let common = self.common.iter().flat_map(|schema| schema.keys_of(named));
        let keys: Vec<Key> = own.into_iter().chain(common).collect();
        let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        named.unknown_key(self.table, key, &known)
    }

    fn is_common(&self, key: &str) -> bool {
        self.common.as_ref().is_some_and(|schema| has(schema, key))
    }

    fn name_range(&self) -> String {
        name_range(self.kind)
    }
}

/// The range of a name: `the name of an optimiser`.
pub(crate) fn name_range(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("the name of {article} {kind}")
}

fn has(schema: &Schema, key: &str) -> bool {
    schema.keys().iter().any(|known| known.name == key)
}

/// `a, b or c`.
fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Table, table};

    table! {
        /// Of `plain`.
        struct Plain {
            /// The rate.
            lr: f64 = 0.1, ordinary();
            /// The momentum.
            momentum: f64 = 0.0, fraction();
        }
    }

    table! {
        /// Of `steep`.
        struct Steep {
            /// The rate.
            lr: f64 = 0.2, ordinary();
        }
    }

    table! {
        /// Of all.
        struct All {
            /// Steps between looks.
            every: Option<u64> = None, optional(at_least(1));
        }
    }

    fn family(lenient: bool) -> Family {
        let halved = |named: &Named, table: &str| named.resolve_over(Plain { lr: 0.05, ..Plain::default() }, table);
        let members = vec![
            ("plain", Schema::of::<Plain>()),
            ("halved", Schema::of::<Plain>().over(|_| Plain { lr: 0.05, ..Plain::default() }.keys_over(), halved)),
            ("steep", Schema::of::<Steep>()),
        ];
        Family {
            table: "opt",
            kind: "optimiser",
            default: "plain",
            members,
            common: Some(Schema::of::<All>()),
            lenient,
        }
    }

    #[test]
    fn keys_are_those_of_all_with_the_defaults_of_one() {
        let told = |name: &str| -> Vec<String> {
            let keys = family(false).keys(&Named::new(name));
            keys.iter().map(|key| format!("{}: {} [{:?}]", key.name, key.help, key.default_told())).collect()
        };
        assert_eq!(
            told("steep"),
            [
                "opt.name: plain, halved or steep [Some(\"steep\")]",
                "opt.lr: The rate [Some(\"0.2\")]",
                "opt.momentum: The momentum (plain, halved) [Some(\"0.0\")]",
                "opt.every: Steps between looks [None]",
            ]
        );
        assert_eq!(told("halved")[1], "opt.lr: The rate [Some(\"0.05\")]");
        assert_eq!(
            told("")[..2],
            ["opt.name: plain, halved or steep [Some(\"plain\")]", "opt.lr: The rate [Some(\"0.1\")]"]
        );
        assert_eq!(told("none")[1], "opt.lr: The rate [None]");
        let varies =
            |name: &str| family(false).keys(&Named::new(name)).into_iter().map(|key| key.varies).collect::<Vec<_>>();
        assert_eq!([varies("steep"), varies("none")], [[false; 4], [false, true, false, false]]);
    }

    #[test]
    fn a_member_has_its_own_keys_and_those_of_all() {
        let mut named = Named::new("halved");
        let set = |named: &mut Named, text: &str| family(false).change(named, &Override::parse(text).unwrap());
        set(&mut named, "momentum=0.5").unwrap();
        set(&mut named, "every=3").unwrap();
        let all = family(false).resolve(&named).unwrap();
        assert_eq!(all.rest, "lr = 0.05\nmomentum = 0.5\nevery = 3".parse().unwrap());
        let told = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(told(set(&mut named, "lr=1e-1x")), "opt.lr: expected a number from 1e-37 to 1e37, found 1e-1x");
        assert_eq!(
            told(set(&mut named, "momentun=1")),
            "opt.momentun: unknown key of the opt halved; did you mean momentum? (its keys: lr, momentum, every)"
        );
        assert_eq!(told(set(&mut named, "name=[1]")), "opt.name: expected the name of an optimiser, found [1]");
        set(&mut named, "name=steep").unwrap();
        let error = |family: Family| family.resolve(&named).map(|all| all.rest.to_string()).map_err(|e| e.to_string());
        assert_eq!(error(family(false)), Err("opt.momentum: steep has none; it is of plain, halved".into()));
        assert_eq!(error(family(true)), Ok("every = 3\nlr = 0.2\n".into()));
        let mut kept = named.clone();
        family(false).keep_own(&mut kept, |_| false);
        assert_eq!(kept.rest.keys().collect::<Vec<_>>(), ["every"]);
        family(false).keep_own(&mut named, |key| key == "momentum");
        assert_eq!(named.rest.len(), 2);
        set(&mut named, "name=stepe").unwrap();
        let error = told(family(false).check(&named));
        assert_eq!(error, "opt.name: unknown optimiser `stepe`; did you mean steep? (known: plain, halved, steep)");
    }
}
