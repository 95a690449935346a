//! Which of the tensors that a pickle holds are the weights, and by which names.

use super::make::shown;
use super::pickle::{Node, Unpickled, Value};

/// The keys under which training programs save the weights beside other things.
const WEIGHTS: [&str; 7] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "generator_state_dict"];
/// The longest name of a tensor in bytes.
const LONGEST: usize = 255;
/// The most dictionaries within each other.
const DEEPEST: usize = 16;

/// The names of the tensors with their nodes, and what is told.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) names: Vec<(String, usize)>,
    pub(super) notes: Vec<String>,
}

/// Finds the state dict in `pickle`: what it holds itself, or, of a checkpoint, what one of [`WEIGHTS`] holds.
///
/// # Errors
/// No tensor, a tensor without a name, a name twice or too long.
pub(super) fn find(pickle: &Unpickled<'_>) -> Result<Found, String> {
    let mut walk = Walk { pickle, seen: vec![false; pickle.nodes.len()], found: Found::default() };
    let mut root = pickle.root;
    // A checkpoint's weights may be in one of its parts, and these in one again.
    for _ in 0..3 {
        let Some(Node::Dict(items)) = pickle.node(root) else { break };
        let direct = |value: &Value<'_>| matches!(pickle.node(*value), Some(Node::Tensor(_)));
        if items.iter().any(|(_, value)| direct(value)) {
            break;
        }
        let holds = |key: &&'static str| {
            let part = items.iter().rev().find(|(name, _)| *name == Value::Text(key))?;
            match pickle.node(part.1) {
                Some(Node::Dict(inner)) if inner.iter().any(|(_, value)| direct(value) || is_dict(pickle, value)) => {
                    Some((*key, part.1))
                }
                _ => None,
            }
        };
        let Some((key, part)) = WEIGHTS.iter().find_map(holds) else { break };
        let beside = items.iter().filter_map(|(name, _)| match name {
            Value::Text(name) if *name != key => Some(shown(name)),
            _ => None,
        });
        let beside = super::super::report::shortened(&beside.collect::<Vec<_>>());
        walk.found.notes.push(match beside.is_empty() {
            true => format!("the checkpoint's `{key}` was read"),
            false => format!("the checkpoint's `{key}` was read, beside it is {beside}"),
        });
        root = part;
    }
    if let Some(Node::Tensor(tensor)) = pickle.node(root) {
        return Err(format!("holds a tensor of shape {:?} without a name, expected a state dict", tensor.shape));
    }
    walk.collect(String::new(), root, 0)?;
    let mut found = walk.found;
    if found.names.is_empty() {
        return Err("holds no tensor, expected a state dict".into());
    }
    let mut names: Vec<&str> = found.names.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("holds two tensors called {}", twice[0]));
    }
    found.names.shrink_to_fit();
    Ok(found)
}

fn is_dict(pickle: &Unpickled<'_>, value: &Value<'_>) -> bool {
    matches!(pickle.node(*value), Some(Node::Dict(_)))
}

struct Walk<'p, 'a> {
    pickle: &'p Unpickled<'a>,
    /// The containers that were visited: one that is in several places, or within itself, counts once.
    seen: Vec<bool>,
    found: Found,
}

impl Walk<'_, '_> {
    /// Collects the tensors in `value`, whose path is `path`.
    fn collect(&mut self, path: String, value: Value<'_>, depth: usize) -> Result<(), String> {
        let Value::Node(at) = value else { return Ok(()) };
        let pickle = self.pickle;
        let Some(node) = pickle.nodes.get(at) else { return Ok(()) };
        if let Node::Tensor(_) = node {
            self.found.names.push((path, at));
            return Ok(());
        }
        if matches!(node, Node::Storage(_)) || std::mem::replace(&mut self.seen[at], true) {
            return Ok(());
        }
        if depth == DEEPEST {
            return Err(format!("nests its tensors deeper than {DEEPEST} dictionaries"));
        }
        let below = |name: &dyn std::fmt::Display| match path.is_empty() {
            true => name.to_string(),
            false => format!("{path}.{name}"),
        };
        match node {
            Node::Dict(items) if is_optimizer(items) => {
                self.found.notes.push(format!("an optimiser's state{} was left out", named(&path)));
            }
            Node::Dict(items) => {
                // Set twice, the last counts.
                let mut last = std::collections::HashMap::new();
                for (place, (key, _)) in items.iter().enumerate() {
                    match key {
                        Value::Text(text) if text.len() + path.len() >= LONGEST => {
                            return Err(format!("has a name of over {LONGEST} bytes, {}…", shown(text)));
                        }
                        Value::Text(text) => drop(last.insert((Some(*text), 0), place)),
                        Value::Int(number) => drop(last.insert((None, *number), place)),
                        _ => {}
                    }
                }
                let mut places: Vec<_> = last.into_iter().collect();
                places.sort_unstable_by_key(|(_, place)| *place);
                for ((text, number), place) in places {
                    // No path is made for what holds no tensor.
                    if matches!(items[place].1, Value::Node(_)) {
                        let path = text.map_or_else(|| below(&number), |text| below(&text));
                        self.collect(path, items[place].1, depth + 1)?;
                    }
                }
            }
            Node::List(items) | Node::Tuple(items) => {
                for (place, item) in items.iter().enumerate() {
                    if matches!(item, Value::Node(_)) {
                        self.collect(below(&place), *item, depth + 1)?;
                    }
                }
            }
            Node::Tensor(_) | Node::Storage(_) => {}
        }
        Ok(())
    }
}

/// Whether a dictionary is what an optimiser's `state_dict()` returns.
fn is_optimizer(items: &[(Value<'_>, Value<'_>)]) -> bool {
    let has = |name: &str| items.iter().any(|(key, _)| *key == Value::Text(name));
    has("state") && has("param_groups")
}

fn named(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" (`{}`)", shown(path)) }
}
