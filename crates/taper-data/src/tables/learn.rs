//! Learning a [`TableSpec`] from rows: which columns are features, and of which kind.

use super::encode::missing_target;
use super::source::TableSource;
use super::spec::{ColumnSpec, LeftOut, TableSpec, TargetSpec};
use super::survey::{MOST_CATEGORIES, Survey};
use crate::formats::MOST_CLASSES;
use crate::formats::text::shortened;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Which column is to be predicted, and what the others are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// The name of the column that is to be predicted.
    pub target: String,
    /// What the target is. With `None`, numbers are a number to be predicted, unless they are whole and at most 20 are
    /// different; then, and if they are texts, they are classes.
    pub kind: Option<TargetKind>,
    /// Columns that are no features.
    pub drop: Vec<String>,
    /// If any is named, the columns that are features; no other is.
    pub only: Vec<String>,
    /// Columns whose cells are categories although they are numbers, or very many different texts (up to 1000).
    pub categories: Vec<String>,
}

/// What is predicted from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A class.
    Classes,
    /// A number.
    Number,
}

impl TableOptions {
    /// Options to predict the column `target` from all others.
    pub fn new(target: impl Into<String>) -> Self {
        Self { target: target.into(), ..Self::default() }
    }
}

/// The most different whole numbers that are taken for classes.
const FEW: usize = 20;

/// The most features of a row.
const MOST_FEATURES: usize = 65_536;

/// What becomes of a column.
enum Role {
    Number,
    Category,
    LeftOut(String),
}

impl TableSpec {
    /// Learns how to encode the rows of `source`: from the rows `training` alone, or from all with `None`. Whether a column
    /// holds numbers or categories is decided by all its cells, and so are the classes; means, deviations and categories come
    /// from the training rows.
    ///
    /// - A column of numbers is a number; numbers with zeros before them (`007`), texts, `True` and `False` are categories.
    /// - Empty cells, NA, N/A, NaN, null, None and ? are missing values, in any case of letters.
    /// - A column that numbers the rows is left out, and so is one without a value, and one that is called an id (`id`, `user_id`,
    ///   `userId`) and holds whole numbers of which more than half are different, unless [`TableOptions::only`] names it.
    ///
    /// # Errors
    /// When a column that is named is not there (the error names the nearest), the target is missing in a row, constant, or of
    /// another kind than asked for, no feature is left, or columns cannot be features as they are: dates, ids or free text
    /// (over 1000 different texts, or in 20 rows or more a different text in more than half of them), numbers among which are
    /// texts. These are named together, with the first of their rows.
    pub fn learn(source: &TableSource, options: &TableOptions, training: Option<&[usize]>) -> Result<Self> {
        let target = source.find(&options.target)?;
        let dropped = options.drop.iter().map(|name| source.find(name)).collect::<Result<Vec<_>>>()?;
        let only = options.only.iter().map(|name| source.find(name)).collect::<Result<Vec<_>>>()?;
        let categories = options.categories.iter().map(|name| source.find(name)).collect::<Result<Vec<_>>>()?;
        if dropped.contains(&target) {
            let detail = format!("`{}` is to be predicted, so that it cannot be dropped", source.columns[target]);
            return Err(Error::format(&source.path, "columns", detail));
        }
        let (mut features, mut left_out, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for place in (0..source.columns.len()).filter(|place| *place != target && !dropped.contains(place)) {
            let named = only.contains(&place);
            if !only.is_empty() && !named {
                continue;
            }
            match role(source, place, named, categories.contains(&place)) {
                Ok(Role::LeftOut(reason)) => left_out.push(LeftOut { name: source.columns[place].clone(), reason }),
                Ok(Role::Number) => features.push((place, Learned::Number(Moments::default()))),
                Ok(Role::Category) => features.push((place, Learned::Category(BTreeSet::new(), false))),
                Err(problem) => refused.push((place, problem)),
            }
        }
        if !refused.is_empty() {
            return Err(refusal(source, &refused));
        }
        if features.is_empty() {
            let detail = "expected features beside the target, found none";
            return Err(Error::format(&source.path, "columns", detail));
        }
        let kind = target_kind(source, target, options.kind)?;
        let mut number = Moments::default();
        source.scan(training, &mut |row, cells| {
            for (place, learned) in &mut features {
                match learned {
                    Learned::Category(values, missing) => match cells[*place].text() {
                        text if text.is_empty() => *missing = true,
                        text => {
                            if !values.contains(&*text) {
                                values.insert(text.into_owned());
                            }
                        }
                    },
                    Learned::Number(moments) => moments.add(source, row, *place, cells[*place].number())?,
                }
            }
            if kind == TargetKind::Number {
                number.add(source, row, target, cells[target].number())?;
            }
            Ok(())
        })?;
        let columns = features.into_iter().map(|(place, learned)| {
            let name = source.columns[place].clone();
            match learned {
                Learned::Category(values, missing) => {
                    ColumnSpec::Category { name, values: values.into_iter().collect(), missing }
                }
                Learned::Number(moments) => {
                    let (mean, std) = moments.finish();
                    ColumnSpec::Number { name, mean, std, missing: moments.missing }
                }
            }
        });
        let columns: Vec<ColumnSpec> = columns.collect();
        let width: usize = columns.iter().map(ColumnSpec::width).sum();
        if width > MOST_FEATURES {
            let widest = columns.iter().max_by_key(|column| column.width()).map_or("", ColumnSpec::name);
            let detail = format!(
                "the columns become {width} features, more than {MOST_FEATURES}: drop some (`drop`); the widest is `{widest}`"
            );
            return Err(Error::format(&source.path, "columns", detail));
        }
        let name = source.columns[target].clone();
        let target = match kind {
            TargetKind::Classes => TargetSpec::Classes { name, classes: classes(source, target)? },
            TargetKind::Number => {
                let (mean, std) = number.finish();
                if std == 0.0 {
                    return Err(constant(source, target, "the training rows"));
                }
                TargetSpec::Number { name, mean, std }
            }
        };
        Ok(Self { target, columns, left_out })
    }
}

/// What is learned of a column.
enum Learned {
    Number(Moments),
    /// The values, and whether some are missing.
    Category(BTreeSet<String>, bool),
}

/// Mean and variance in one pass (Welford 1962).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
    missing: bool,
}

impl Moments {
    fn add(&mut self, source: &TableSource, row: usize, column: usize, value: Option<f64>) -> Result<()> {
        let Some(value) = value else {
            self.missing = true;
            return Ok(());
        };
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
        if self.squares.is_finite() {
            return Ok(());
        }
        Err(source.wrong(row, column, format!("expected a finite number, of moderate size, found {value}")))
    }

    /// The mean and the standard deviation.
    fn finish(&self) -> (f64, f64) {
        (self.mean, if self.count > 0.0 { (self.squares / self.count).sqrt() } else { 0.0 })
    }
}

/// Why a column cannot be a feature, and the first row that shows it.
struct Problem {
    row: Option<u64>,
    text: String,
}

/// What the column `place` is; an error when it cannot be a feature as it is. `named` says that it was asked for by name,
/// `category` that its cells are categories.
fn role(source: &TableSource, place: usize, named: bool, category: bool) -> std::result::Result<Role, Problem> {
    let survey: &Survey = &source.surveys[place];
    let problem = |row: Option<u64>, text: String| Err(Problem { row, text });
    if let Some(other) = &survey.other {
        return problem(None, format!("holds values of a type that is no feature, {other}"));
    }
    if survey.present() == 0 {
        return Ok(Role::LeftOut("no row has a value".into()));
    }
    if category {
        if survey.many {
            return problem(None, format!("has more than {MOST_CATEGORIES} different texts, too many for categories"));
        }
        return Ok(Role::Category);
    }
    if !survey.has_texts() {
        return Ok(match () {
            () if named => Role::Number,
            () if survey.counts_rows() => Role::LeftOut("numbers the rows".into()),
            () if survey.are_different() && is_called_id(&source.columns[place]) => {
                Role::LeftOut("is an id by its name, of whole numbers that are mostly different".into())
            }
            () => Role::Number,
        });
    }
    if survey.dates * 2 > survey.present() {
        let (row, found) = survey.first_date.clone().unwrap_or_default();
        return problem(Some(row), format!("holds dates or times, such as `{found}`"));
    }
    if survey.is_id() {
        let count = survey.distinct().map_or(format!("over {MOST_CATEGORIES}"), |count| count.to_string());
        let rows = survey.present();
        return problem(None, format!("has {count} different texts in {rows} rows, as an id or free text has"));
    }
    let texts = survey.texts + survey.dates;
    if texts > 0 && survey.numbers >= texts {
        let first = [&survey.first_text, &survey.first_date].into_iter().flatten().min_by_key(|(row, _)| *row);
        let (row, found) = first.cloned().unwrap_or_default();
        let numbers = survey.numbers;
        return problem(Some(row), format!("has numbers in {numbers} rows, but `{found}`"));
    }
    Ok(Role::Category)
}

/// Whether a column of this name holds ids: `id`, `user_id`, `user id`, `userId`, `userID`, `uuid`.
fn is_called_id(name: &str) -> bool {
    let lower = name.to_lowercase();
    let words = ["_id", "-id", " id", ".id"].iter().any(|ending| lower.ends_with(ending));
    let camel = name.strip_suffix("Id").or_else(|| name.strip_suffix("ID"));
    let camel = camel.is_some_and(|before| before.ends_with(|c: char| c.is_lowercase()));
    words || camel || ["id", "uuid", "guid"].contains(&lower.as_str())
}

/// The error for columns that cannot be features.
fn refusal(source: &TableSource, refused: &[(usize, Problem)]) -> Error {
    let few = refused.iter().all(|(place, _)| !source.surveys[*place].many && source.surveys[*place].other.is_none());
    let hint = if few {
        "drop it (`drop`), correct the file, or name it in `categories` if its different values are few"
    } else {
        "drop it (`drop`), or correct the file"
    };
    if let [(place, Problem { row: Some(row), text })] = refused {
        return source.wrong(*row as usize, *place, format!("the column {text}: {hint}"));
    }
    let told = refused.iter().map(|(place, problem)| {
        let name = shortened(&source.columns[*place]);
        let row = problem.row.map(|row| match source.wrong(row as usize, *place, "") {
            Error::Format { at, .. } => format!(" ({})", at.split(',').next().unwrap_or_default()),
            _ => String::new(),
        });
        format!("`{name}` {}{}", problem.text, row.unwrap_or_default())
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let names: Vec<String> =
        refused.iter().map(|(place, _)| format!("`{}`", shortened(&source.columns[*place]))).collect();
    let (count, names) = (refused.len(), names.join(", "));
    let detail = if count == 1 {
        format!("{told}: {hint}")
    } else {
        format!(
            "{count} columns cannot be features as they are: {told}. Drop {names} (`drop`), correct the file, or name those with \
             few different values in `categories`"
        )
    };
    Error::format(&source.path, "columns", detail)
}

/// The error for a target that has one value.
fn constant(source: &TableSource, target: usize, rows: &str) -> Error {
    let detail =
        format!("the target `{}` has one value in {rows}, so that there is nothing to learn", source.columns[target]);
    Error::format(&source.path, "columns", detail)
}

/// Whether the target is a class or a number.
fn target_kind(source: &TableSource, target: usize, asked: Option<TargetKind>) -> Result<TargetKind> {
    let survey = &source.surveys[target];
    let name = &source.columns[target];
    let wrong = |detail: String| Err(Error::format(&source.path, format!("column `{name}`"), detail));
    if let Some(other) = &survey.other {
        return wrong(format!("expected classes or numbers, found {other}"));
    }
    if let Some(row) = survey.first_missing {
        return Err(source.wrong(row as usize, target, missing_target("a class or a number")));
    }
    if survey.distinct() == Some(1) {
        return Err(constant(source, target, "all rows"));
    }
    let whole = !survey.has_texts() && !survey.fractions;
    let few = whole && survey.distinct().is_some_and(|count| count <= FEW);
    let kind = asked.unwrap_or(if survey.has_texts() || few { TargetKind::Classes } else { TargetKind::Number });
    match kind {
        TargetKind::Number => {
            match [&survey.first_text, &survey.first_date].into_iter().flatten().min_by_key(|(row, _)| *row) {
                Some((row, found)) => {
                    let detail = format!("expected a number to be predicted, found `{found}`; texts are classes");
                    Err(source.wrong(*row as usize, target, detail))
                }
                None => Ok(kind),
            }
        }
        TargetKind::Classes if survey.is_id() => {
            let count = survey.distinct().map_or(format!("over {MOST_CATEGORIES}"), |count| count.to_string());
            let rows = survey.present();
            wrong(format!("expected classes, found {count} different texts in {rows} rows; is this the target?"))
        }
        TargetKind::Classes if !whole && !survey.has_texts() => wrong(
            "expected classes, found numbers that are not whole; to predict a number, the kind is `number`".into(),
        ),
        TargetKind::Classes => Ok(kind),
    }
}

/// The names of the classes in the column `target`: numbers by size, texts by their characters.
fn classes(source: &TableSource, target: usize) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    source.scan(None, &mut |row, cells| {
        let text = cells[target].text();
        if !found.contains(&*text) {
            if found.len() as i64 == MOST_CLASSES {
                let detail =
                    format!("expected at most {MOST_CLASSES} classes, found another one (`{}`)", shortened(&text));
                return Err(source.wrong(row, target, detail));
            }
            found.insert(text.into_owned());
        }
        Ok(())
    })?;
    let mut classes: Vec<String> = found.into_iter().collect();
    if let Some(numbers) = classes.iter().map(|class| class.parse().ok()).collect::<Option<Vec<i64>>>() {
        let mut numbered: Vec<(i64, String)> = numbers.into_iter().zip(classes).collect();
        numbered.sort();
        classes = numbered.into_iter().map(|(_, class)| class).collect();
    }
    Ok(classes)
}

impl TableSource {
    /// What [`split`](crate::split()) stratifies by: the class of each row, or 0 everywhere if a number is to be predicted.
    ///
    /// # Errors
    /// As [`TableSpec::learn`], of the target.
    pub fn strata(&self, options: &TableOptions) -> Result<Vec<i64>> {
        let target = self.find(&options.target)?;
        if target_kind(self, target, options.kind)? == TargetKind::Number {
            return Ok(vec![0; self.len()]);
        }
        let numbers: HashMap<String, i64> = classes(self, target)?.into_iter().zip(0..).collect();
        let mut strata = Vec::with_capacity(self.len());
        self.scan(None, &mut |_, cells| {
            strata.push(numbers.get(&*cells[target].text()).copied().unwrap_or_default());
            Ok(())
        })?;
        Ok(strata)
    }
}
