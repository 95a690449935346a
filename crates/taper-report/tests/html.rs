//! The page and its charts: what is in them, that it is well formed, and that it needs nothing from elsewhere.

#[path = "common/markup.rs"]
mod markup;

use markup::{check, count};
use taper_report::html::{Bars, Block, Column, Framed, Gallery, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Mark, Series, sheet};
use taper_report::{Format, Matrix, Picture};

const UNKIND: &str = "<script>alert(\"1\")</script> & 'co'";
const KIND: &str = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;";

fn picture(shape: [usize; 3], values: &[u8]) -> Option<Picture> {
    Some(Picture::new(shape, values.to_vec()).unwrap())
}

fn page() -> Page {
    let chart = Chart {
        title: format!("Loss {UNKIND}"),
        x: Axis::linear("epoch"),
        y: Axis::linear("cross entropy"),
        series: vec![
            Series::line("training", vec![(1.0, 2.0), (2.0, 1.0), (3.0, f64::NAN), (4.0, 0.5)]),
            Series::line(UNKIND, vec![(1.0, 2.25), (2.0, 1.25), (4.0, 0.75)]),
        ],
        marks: vec![],
    };
    let scores = Table::new(vec![Column::text("class"), Column::number("recall")]);
    let mistake = Framed {
        picture: picture([1, 2, 2], &[0, 85, 170, 255]),
        title: "cat 87.6%".into(),
        detail: format!("is {UNKIND}"),
    };
    let filters = [1.0, -2.0].map(|weight| Picture::from_signed([1, 1, 2], &[weight, f32::NAN]).unwrap());
    Page::new(format!("run {UNKIND}"))
        .command(format!("taper train digits --name '{UNKIND}'"))
        .fact("test accuracy", "84.12%")
        .fact(UNKIND, UNKIND)
        .warning(format!("conv1.bias: vanishing {UNKIND}"))
        .section(Section::new("Curves").with(vec![chart]))
        .section(
            Section::new("Confusion matrix")
                .with(Matrix::confusion(["cat", UNKIND], vec![30, 10, 5, 55]).unwrap())
                .with(scores.row(["cat", "75.0%"]).row([UNKIND, "91.7%"])),
        )
        .section(Section::new(UNKIND).with(Gallery::new(vec![mistake])))
        .section(Section::new("Filters").with(Gallery::tiles(format!("grey is 0 {UNKIND}"), filters)))
        .section(Section::new("Timing").with(Bars::timing([("steps", 90.0), (UNKIND, 30.0)])))
        .section(Section::new("Configuration").with(Block::Text(format!("a = \"{UNKIND}\"\n  b = 1\n"))))
        .note(format!("Data by {UNKIND}.\nhttp://example.org"))
}

#[test]
fn the_page_holds_what_it_was_given() {
    let html = page().html();
    let names = check(&html);
    for text in ["test accuracy", "84.12%", "conv1.bias: vanishing", "1 min 30 s", "75.0%", "2 min 00 s", "  b = 1"] {
        assert!(html.contains(text), "{text} is missing");
    }
    // Title (twice), command, fact (twice), warning; chart, its series and its legend; a row's and a column's name, a row of
    // scores; the section in its link and heading; alternative text and caption; tiles, bar, configuration, note.
    assert!(html.matches(KIND).count() >= 20 && !html.contains("<script"), "{}", html.matches(KIND).count());
    assert_eq!((count(&names, "svg"), count(&names, "h1"), count(&names, "h2")), (1, 1, 7));
    // Two tiles and a framed picture, each with an alternative text, which is empty where there is no caption.
    assert_eq!((count(&names, "img"), html.matches(" alt=\"").count()), (3, 3));
    assert!(html.contains(&format!("alt=\"cat 87.6%, is {KIND}\"><b>cat 87.6%</b><br>")), "{html}");
    assert!(html.contains("prefers-color-scheme:dark") && html.contains("width=device-width"));
}

/// What was run comes first, then what came of it, then the rest.
#[test]
fn the_page_begins_with_what_was_run() {
    let html = page().html();
    let order = ["<h1>", "class=\"command\"", "84.12%", "vanishing", "href=\"#curves\"", "<main>", "<svg", "Data by"];
    let places = order.map(|text| html.find(text).unwrap_or_else(|| panic!("{text} is missing")));
    assert!(places.is_sorted(), "{places:?}");
    let bare = Page::new("bare").html();
    assert!(!bare.contains("class=\"command\"") && !bare.contains("<dl") && !bare.contains("<nav"), "{bare}");
}

#[test]
fn sections_have_addresses_of_their_own() {
    let note = |title: &str| Section::new(title).with(Block::Note("text".into()));
    let titles = ["Loss of a step", "loss, of a step!", "損失", "", "Warnings", "Wärme"];
    let page = titles.into_iter().fold(Page::new("page").warning("hot"), |page, title| page.section(note(title)));
    let html = page.html();
    check(&html);
    let ids: Vec<&str> = html.split("<h2 id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let due = ["loss-of-a-step", "loss-of-a-step-2", "section", "section-2", "warnings-2", "w-rme"];
    assert_eq!(ids, [&["warnings"][..], &due].concat());
}

#[test]
fn a_cell_has_the_colour_of_its_share() {
    let matrix = |rows: &[&str], columns: &[&str]| {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let matrix = Matrix::new(names(rows), names(columns), vec![30, 10, 5, 55]).unwrap();
        let html = Page::new("").section(Section::new("Counts").with(matrix.titled("true", "predicted"))).html();
        check(&html);
        html
    };
    let confusion = matrix(&["cat", "dog"], &["cat", "dog"]);
    assert!(confusion.contains("<td class=\"h6 right\">30</td><td class=\"h4\">10</td>"), "{confusion}");
    assert!(confusion.contains("Rows: true; columns: predicted. The colour is the share of the row."), "{confusion}");
    // Where rows and columns differ, nothing is right.
    let other = matrix(&["cat", "dog"], &["in", "out"]);
    assert!(
        other.contains("<td class=\"h6\">30</td><td class=\"h4\">10</td>") && !other.contains("right\">"),
        "{other}"
    );
}

#[test]
fn many_classes_are_a_picture_with_the_pairs_most_confused() {
    let n = 100;
    let mut counts: Vec<u64> = (0..n * n).map(|k| if k / n == k % n { 90 } else { 0 }).collect();
    counts[35 * n + 98] = 17;
    let matrix = Matrix::confusion((0..n).map(|i| format!("class {i}")), counts).unwrap();
    let html = Page::new("").section(Section::new("Confusion matrix").with(matrix)).html();
    let names = check(&html);
    assert!(html.contains("<th scope=\"row\">class 35</th><td>class 98</td><td class=\"n\">17</td>"), "{html}");
    assert_eq!((count(&names, "img"), html.matches("class 99").count(), html.matches("<tr>").count()), (1, 0, 2));
    // A pixel each: signature, the header's length and name, 100 × 100.
    assert!(html.contains("base64,iVBORw0KGgoAAAANSUhEUgAAAGQAAABk"));
    let matrix = Matrix::confusion(vec!["one of many"; 500], vec![1; 250_000]).unwrap();
    let html = Page::new("").section(Section::new("Confusion matrix").with(matrix)).html();
    assert_eq!(count(&check(&html), "img"), 0);
    assert_eq!(html.matches("<th scope=\"row\">one of many</th><td>one of many</td>").count(), 20);
}

#[test]
fn what_is_empty_has_no_section() {
    let none = Section::new("Nothing")
        .with(vec![])
        .with(Table::new(vec![Column::text("name")]))
        .with(Bars::new("name", "number", vec![]))
        .with(Matrix::default())
        .with(Gallery::default())
        .with(Block::Text(" \n".into()))
        .with(Block::Note(String::new()));
    let html = Page::new("nothing").section(none).section(Section::new("Neither")).html();
    let names = check(&html);
    assert_eq!((count(&names, "section"), count(&names, "nav")), (0, 0));
    let unseen = Gallery::new(vec![Framed { title: "cat".into(), ..Framed::default() }]);
    let html = Page::new("").section(Section::new("Samples").with(unseen)).html();
    assert_eq!(count(&check(&html), "section"), 1);
    assert!(html.contains("no picture") && html.contains("<b>cat</b></li>"), "{html}");
}

#[test]
fn more_than_can_be_looked_at_is_cut_and_said() {
    let framed = Framed { picture: picture([3, 1, 1], &[1, 2, 3]), title: "a".into(), detail: String::new() };
    let tiles = Gallery::tiles("", (0..300).map(|_| picture([1, 1, 1], &[7]).unwrap()));
    let framed = |many: usize| Gallery::new(vec![framed.clone(); many]);
    let shown = |gallery: Gallery| {
        let html = Page::new("").section(Section::new("Pictures").with(gallery)).html();
        let cut = html.split("The first ").nth(1).map(|rest| rest.split("</p>").next().unwrap().to_string());
        (count(&check(&html), "img"), cut)
    };
    assert_eq!(shown(framed(50)), (48, Some("48 of 50 pictures.".into())));
    assert_eq!(shown(framed(48)), (48, None));
    // The caller made the pictures of the first only.
    assert_eq!(shown(framed(48).of(1000, "<samples>")), (48, Some("48 of 1000 &lt;samples&gt;.".into())));
    assert_eq!(shown(tiles), (256, Some("256 of 300 pictures.".into())));
}

#[test]
fn bars_are_parts_of_a_whole_or_beside_the_largest() {
    let html = |bars: Bars| Page::new("").section(Section::new("Bars").with(bars)).html();
    let parts = html(Bars::timing([("steps", 90.0), ("rest", 30.0)]));
    check(&parts);
    assert!(parts.contains("<td class=\"n\">1 min 30 s</td><td class=\"n\">75.0%</td>"), "{parts}");
    assert!(
        parts.contains("width:75.0%") && parts.contains("<th scope=\"row\">in all</th><td class=\"n\">2 min 00 s</td>")
    );
    let values = [("a", 0.5), ("b", -2.0), ("c", f64::NAN)].map(|(name, value)| (name.to_string(), value));
    let beside = html(Bars::new("feature", "weight", values.to_vec()));
    check(&beside);
    let lengths: Vec<&str> =
        beside.split("width:").filter_map(|rest| rest.split_once("%\"></span>")).map(|p| p.0).collect();
    assert_eq!(lengths, ["25.0", "100.0", "0.0"]);
    assert!(beside.contains("<td class=\"n\">-2</td><td><span class=\"bar negative\"") && !beside.contains("in all"));
    check(&html(Bars::timing([("nothing", 0.0)])));
}

#[test]
fn a_table_has_a_cell_in_each_column() {
    let table =
        Table::new(vec![Column::text("name"), Column::number("n"), Column::text("what")]).caption("Parts & sums");
    let html = Page::new("").section(Section::new("T").with(table.row(["a", "1"]).row(["b", "2", "x", "more"]))).html();
    check(&html);
    assert!(html.contains("<th scope=\"row\">a</th><td class=\"n\">1</td><td></td></tr>"), "{html}");
    assert!(html.contains("<td class=\"n\">2</td><td>x</td><td>more</td></tr>"), "{html}");
    assert!(html.contains("aria-label=\"Parts &amp; sums\"><table><caption>Parts &amp; sums</caption>"), "{html}");
}

#[test]
fn a_chart_is_a_file_too() {
    let chart = Chart {
        title: "Finder".into(),
        x: Axis::log("learning rate"),
        y: Axis::linear("loss"),
        series: vec![Series::line("loss", vec![(1e-5, 2.5), (1e-3, 1.25), (1e-1, 2.5)])],
        marks: vec![Mark { x: 1e-3, label: "suggested <0.001>".into() }],
    };
    let file = chart.file();
    let names = check(&file);
    assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 400 "), "{file}");
    assert_eq!((count(&names, "style"), count(&names, "circle")), (1, 3));
    assert!(file.contains("suggested &lt;0.001&gt;</text>") && file.contains("loss: 0.001, 1.25"), "{file}");
    assert!(file.contains("aria-label=\"Finder: loss by learning rate. loss: from 2.5 to 2.5. suggested "), "{file}");
    // The middle of a logarithmic axis, in the middle of the line.
    let line = file.split("class=\"line\" d=\"M").nth(1).unwrap().split('"').next().unwrap();
    let xs: Vec<f64> = line.split('L').map(|point| point.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!((xs[1] - (xs[0] + xs[2]) / 2.0).abs() < 0.1 && xs[2] == 386.0, "{line}");
    let bare = Chart { y: Axis::linear(""), ..chart.clone() };
    assert!(bare.svg().contains("aria-label=\"Finder by learning rate. loss: "), "{}", bare.svg());
    let inline = chart.svg();
    assert!(!inline.contains("http") && count(&check(&inline), "style") == 0);

    let three = sheet(&[chart.clone(), chart.clone(), chart]);
    let names = check(&three);
    // The sheet, and for each chart its place and itself.
    assert_eq!((count(&names, "svg"), count(&names, "style")), (7, 1));
    assert!(three.contains("viewBox=\"0 0 800 600\"") && three.contains("<svg x=\"0\" y=\"300\""), "{three}");
}

/// A number in a chart and in the text beside it agree, since both are of one format.
#[test]
fn a_chart_and_the_text_beside_it_agree() {
    let (format, last) = (Format::Percent(2), 0.972_19);
    let chart = |y: Axis| Chart {
        x: Axis::linear("epoch").format(Format::Decimals(0)),
        y,
        series: vec![Series::line("validation", vec![(1.0, 0.5), (2.0, last)])],
        ..Chart::default()
    };
    let svg = chart(Axis::linear("accuracy").format(format)).svg();
    let fact = format.text(last);
    assert_eq!(fact, "97.22%");
    // The legend, the point, the description; and the axis has the unit.
    assert!(
        svg.contains(&format!(">validation {fact}</text>")) && svg.contains(&format!("validation: 2, {fact}<")),
        "{svg}"
    );
    assert!(svg.contains(&format!("from 50.00% to {fact}.")) && svg.contains(">60%</text>"), "{svg}");
    assert!(!svg.contains("0.97"), "{svg}");
    assert!(chart(Axis::linear("accuracy")).svg().contains(">validation 0.9722</text>"));
}

#[test]
fn dots_stand_alone_and_nothing_is_said_to_be_nothing() {
    let trials = vec![(1e-3, 0.8), (1e-2, 0.9), (0.0, 0.5), (1e-1, f64::NAN)];
    let scatter = Chart { x: Axis::log("rate"), series: vec![Series::dots("trial", trials)], ..Chart::default() };
    let names = check(&scatter.svg());
    // Two that can be shown, and the legend's.
    assert_eq!(count(&names, "circle"), 3);
    let never = Chart { series: vec![Series::line("loss", vec![(1.0, f64::NAN)])], ..Chart::default() };
    assert!(never.svg().contains("no values"));
    check(&Chart::default().svg());
    let control = Chart { title: "a\0b\u{1b}[1m".into(), ..Chart::default() };
    assert!(control.file().contains("a\u{fffd}b\u{fffd}[1m"));
}

/// A network of many layers has a chart of many lines.
#[test]
fn a_long_legend_is_cut_and_says_so() {
    let of = |count: usize| {
        let series = (0..count).map(|i| Series::line(format!("layer{i}"), vec![(1.0, 1.0), (2.0, 2.0 + i as f64)]));
        Chart { series: series.collect(), ..Chart::default() }.svg()
    };
    let (few, many) = (of(12), of(40));
    assert!(few.contains(">layer11 13<") && !few.contains(" more, "), "{few}");
    assert!(many.contains(">layer11 13<") && !many.contains(">layer12 14<"), "{many}");
    assert!(many.contains(">and 28 more, named at their lines<") && many.contains("<title>layer39</title>"), "{many}");
}

/// A band is the outline of an area: its ends widen the axis, and a value that is not finite is left out.
#[test]
fn a_band_is_filled_between_its_ends() {
    let points = [(0.0, 1.0, 3.0), (1.0, f64::NAN, 9.0), (2.0, 2.0, 5.0)];
    let band = Series::band("80% band", &points);
    assert_eq!(band.points, [(0.0, 1.0), (2.0, 2.0), (2.0, 5.0), (0.0, 3.0)]);
    let svg = Chart { title: "demand".into(), series: vec![band, Series::band("none", &[])], ..Chart::default() }.svg();
    let outline = svg.split("class=\"band\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(outline.starts_with('M') && outline.ends_with('Z') && outline.matches('L').count() == 3, "{outline}");
    // One for the area, one in the legend, where the band has no last value; and a swatch for the empty one.
    assert_eq!((svg.matches("class=\"band\"").count(), svg.matches(">80% band</text>").count()), (3, 1), "{svg}");
    assert!(svg.contains(" 80% band: within 1 and 5.") && !svg.contains("d=\"Z\""), "{svg}");
}
