//! Recommendations, from a folder of ratings to ten titles.

#![cfg(feature = "csv")]

mod common;

use common::Place;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

const USERS: usize = 60;
const ITEMS: usize = 150;

/// Sixty people of two tastes, each of whom has rated thirty films: those of the own taste well, others not.
fn ratings(place: &Place, change: impl Fn(usize, String) -> String) {
    fs::create_dir_all(place.path("films")).unwrap();
    let (mut text, mut line) = (String::from("userId,movieId,rating,timestamp\n"), 0);
    for user in 0..USERS {
        for n in 0..30 {
            // Two of three of the own taste: even films for even people.
            let item = if n % 3 == 2 {
                2 * ((7 * n + 5 * user) % 75) + 1 - user % 2
            } else {
                2 * ((11 * n + 3 * user) % 75) + user % 2
            };
            let liked = item % 2 == user % 2;
            let rating = if liked { 4.5 } else { 2.0 } - [0.0, 0.5][(user + item) / 2 % 2];
            writeln!(text, "{}", change(line, format!("u{user},{item},{rating},{}", 1000 + n))).unwrap();
            line += 1;
        }
    }
    fs::write(place.path("films/ratings.csv"), text).unwrap();
    let films: String = (0..ITEMS).map(|i| format!("{i},\"Film, the {i}th\",19{:02}\n", i % 100)).collect();
    fs::write(place.path("films/movies.csv"), format!("movieId,title,year\n{films}")).unwrap();
}

const QUICK: &str = "--quiet --threads 1 --batch-size 64";

/// What `eval` says of the metric `name`.
fn measured(place: &Place, run: &str, name: &str) -> f64 {
    let out = place.ok(&format!("eval {run}")).out;
    let rest = out.split(&format!("test {name} ")).nth(1).unwrap_or_else(|| panic!("{name}: {out}"));
    rest.split([',', '%', '\n']).next().unwrap().parse().unwrap()
}

#[test]
fn ratings_are_predicted_and_titles_recommended() {
    let place = Place::new();
    ratings(&place, |_, line| line);
    let ran = place.ok(&format!("train recommend films {QUICK} --epochs 30 --run-dir run"));
    let rmse: f64 = ran.last_line().strip_prefix("Test Rmse = ").unwrap_or_else(|| panic!("{ran:?}")).parse().unwrap();
    assert!(rmse < 0.6 * measured(&place, "run", "bias_rmse"), "{rmse}: the tastes are what biases cannot know");
    let report = place.read("run/report.html");
    for text in ["id=\"recommended-to-user-u", "id=\"predictions-by-rating\"", "rated best", "Film, the "] {
        assert!(report.contains(text), "{text}");
    }

    // Ten titles of the own taste that the user has not rated, the best first; without the ratings.
    let text = place.read("films/ratings.csv");
    let rated: BTreeSet<&str> =
        text.lines().filter(|line| line.starts_with("u7,")).map(|line| line.split(',').nth(1).unwrap()).collect();
    fs::rename(place.path("films"), place.path("moved")).unwrap();
    let out = place.ok("recommend run --user u7").out;
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 10, "{out}");
    let scores: Vec<f64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| (0.5..=5.0).contains(score)), "{out}");
    assert!(rows.iter().all(|row| !rated.contains(row[1])), "{out}");
    assert!(rows.iter().filter(|row| row[1].parse::<usize>().unwrap() % 2 == 1).count() >= 9, "{out}");
    let first = place.ok("recommend run --user u7 --top 1 --json").out;
    let found: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!((found[0]["item"].as_str(), found.as_array().unwrap().len()), (Some(rows[0][1]), 1));
    assert!(found[0]["title"].as_str().unwrap().starts_with(&format!("Film, the {}th (19", rows[0][1])), "{first}");
    assert!(place.ok("recommend run --user u7 --item 4").out.contains("Film, the 4th (1904)"));

    for (line, texts) in [
        ("recommend run --user u77", &["user u77 was never seen: the run knows 60 users; did you mean u7"][..]),
        ("recommend run --user 77777", &["user 77777 was never seen: the run knows 60 users"]),
        ("recommend run --user u7 --item 999", &["item 999 was never seen: the run knows "]),
        ("recommend run --user u7 --top 0", &["--top: expected an integer, 1 or more, found 0"]),
    ] {
        place.fails(line, 2, texts);
    }
    place.ok("train digits --quiet --max-steps 2 --run-dir digits");
    place.fails("recommend digits --user u7", 1, &["this run's task is classify, expected a run of recommend"]);
}

#[test]
fn choices_are_told_from_others() {
    let place = Place::new();
    ratings(&place, |_, line| line);
    for model in ["mf", "neumf"] {
        let line = format!(
            "train recommend --data-dir films --task choices --model {model} {QUICK} --set task.others=40 --epochs 12 --set data.validation=0.1"
        );
        let ran = place.ok(&format!("{line} --run-dir {model}"));
        assert!(ran.last_line().starts_with("Test Hr@10 = "), "{ran:?}");
        let (found, popular) = (measured(&place, model, "hr@10"), measured(&place, model, "popular_hr@10"));
        assert!(found > popular + 15.0, "{model}: {found} beside {popular}");
        assert!(measured(&place, model, "ndcg@10") > measured(&place, model, "popular_ndcg@10"), "{model}");
        assert_eq!(place.ok(&format!("recommend {model} --user u7")).out.lines().count(), 10);
    }
}

#[test]
fn without_a_folder_ratings_are_generated_and_said_to_be() {
    let place = Place::new();
    let ran = place.ok("train recommend --max-steps 3 --run-dir run");
    assert!(ran.out.contains("no folder was given: generated ratings, not MovieLens"), "{ran:?}");
    assert!(ran.last_line().ends_with("(generated ratings, not MovieLens)"), "{ran:?}");
    assert_eq!(place.ok("recommend run --user 7 --top 4").out.matches("Film ").count(), 4);
}

/// Killed and resumed, a run ends with the same bits.
#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    ratings(&place, |_, line| line);
    let line = format!(
        "train recommend films --task choices --model neumf --set model.dropout=0.2 {QUICK} --epochs 6 --set task.others=20 \
         --set checkpoint.every_steps=5 --set data.workers=2"
    );
    place.ends_as_undisturbed(&line, 6);
}

#[test]
fn ratings_that_cannot_be_are_told() {
    let place = Place::new();
    fs::create_dir_all(place.path("empty")).unwrap();
    let train = |more: &str| format!("train recommend films {QUICK} --run-dir run {more}");
    place.fails("train recommend empty --run-dir run", 1, &["ratings.csv", "ratings.csv and movies.csv"]);
    // Rating i is in line i + 2 of the file.
    for (at, line, texts) in [
        (5, "u0,77,good,1", &["line 7, column `rating`: expected a number, found `good`"][..]),
        (3, ",77,3,1", &["line 5, column `userId`: expected a name or a number, found nothing"]),
        (4, "u0,77,3,", &["line 6, column `timestamp`: expected a number, found ``"]),
        (9, "u0,0,3,1", &["line 11, column `movieId`: expected one rating of user u0 for 0, found a second"]),
    ] {
        ratings(&place, |i, whole| if i == at { line.into() } else { whole });
        place.fails(&train(""), 1, texts);
    }
    ratings(&place, |_, line| line);
    place.fails(
        &train("--task choices --set task.others=140"),
        1,
        &["of 150 things that user", "has not rated, found 120"],
    );
    place.fails(&train("--model svd"), 2, &["unknown model of pairs `svd`", "mf, neumf"]);
    place.fails(&train("--task rank"), 2, &["unknown task `rank`"]);
    place.fails(&train("--set model.users=3"), 1, &["the table says 3 users and 0 items, the data have 60 and"]);
    fs::write(place.path("films/movies.csv"), "movieId,name\n1,x\n").unwrap();
    place.fails(&train(""), 1, &["movies.csv", "expected one column `title`"]);
    assert!(!place.path("run").exists());
}
