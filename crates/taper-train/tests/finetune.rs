//! What tuning a trained model needs: weights that fit in part, running statistics that stay.

mod common;

use common::{Data, Digits, Net, config, device, options};
use taper_nn::{DType, Params, weights};
use taper_train::{Reporter, TrainOptions, train};

/// By a pattern of its own, of which only the statistics need match; and by a group that is over early, from then on.
#[test]
fn running_statistics_are_frozen_with_their_group() {
    let data = Data::few();
    let statistics = |net: &Net| {
        let all = net.bits().into_iter();
        all.filter(|(name, _)| name.starts_with("bn.running") || name.ends_with("tracked")).collect::<Vec<_>>()
    };
    let run = |epochs: u64, groups: &str| {
        let net = Net::stochastic(DType::F32, 0);
        let settings = [format!("train.epochs={epochs}"), "train.batch_size=57".into(), format!("groups=[{groups}]")];
        net.fit(&config(&settings.each_ref().map(String::as_str)), &data, None, None, vec![]).unwrap();
        net
    };
    let first = statistics(&Net::stochastic(DType::F32, 0));
    assert_eq!(first.len(), 3);
    assert_ne!(statistics(&run(1, "{pattern=\"bn.weight\", frozen=true}")), first);
    for pattern in ["bn.*", "bn.running_*", "*.running_mean"] {
        let net = run(1, &format!("{{pattern=\"{pattern}\", frozen=true}}"));
        assert_eq!(statistics(&net), first, "{pattern}");
        // As free as before once the run is over.
        assert!(net.params.all().iter().all(|param| !param.is_frozen()), "{pattern}");
    }
    // The first that matches takes it.
    let both = "{pattern=\"bn.*\", epochs=0}, {pattern=\"*.running_*\", frozen=true}, {pattern=\"fc1.*\", frozen=true}";
    assert!(run_error(&data, both).contains("no parameter is left that matches \"*.running_*\""));
    // Until an epoch is over.
    let early = "{pattern=\"bn.*\", epochs=1}";
    assert_eq!(statistics(&run(2, early)), statistics(&run(1, early)));
    assert_ne!(statistics(&run(2, "")), statistics(&run(1, "")));
}

fn run_error(data: &Data, groups: &str) -> String {
    let config = config(&[&format!("groups=[{groups}]")]);
    Net::stochastic(DType::F32, 0).fit(&config, data, None, None, vec![]).unwrap_err().to_string()
}

/// Notes what a run says.
#[derive(Default)]
struct Notes(Vec<String>);

impl Reporter for Notes {
    fn note(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

#[test]
fn first_weights_are_read_in_part() {
    let root = tempfile::tempdir().unwrap();
    let init = root.path().join("first.safetensors");
    // Another head, and one layer without its bias.
    let params = Net::on(&device(), DType::F64, 7, 3).params;
    let all: Vec<_> = params.all().into_iter().filter(|param| param.name() != "fc1.bias").collect();
    weights::save(&all, &init).unwrap();
    let path = format!("init.file={}", init.display());
    let run = |partial: &str, notes: &mut Notes| {
        let settings = [path.as_str(), partial, "optimizer.lr=1e-30", "optimizer.name=sgd", "train.max_steps=1"];
        let stop = false.into();
        let options = TrainOptions { resume: false, test: false, ..options(&root.path().join("run"), &stop) };
        train(&Digits("digits"), &config(&settings), &device(), options, notes)
    };
    let mut notes = Notes::default();
    let error = run("init.partial=false", &mut notes).unwrap_err().to_string();
    assert!(error.ends_with("): missing: fc1.bias"), "{error}");
    let (folder, ..) = run("init.partial=true", &mut notes).unwrap();
    let told = notes.0.iter().find(|text| text.contains(" tensors begin as in ")).unwrap();
    assert!(told.contains("; missing: fc1.bias; a new head: ") && told.contains("converted: "), "{told}");
    let loaded = Net::plain(DType::F32, 1).params;
    weights::load(&loaded.all(), folder.model()).unwrap();
    let value = |params: &Params| {
        let all = params.all();
        let weight = all.iter().find(|param| param.name() == "fc1.weight").unwrap().tensor();
        weight.cast(DType::F32).unwrap().to_vec::<f32>().unwrap()
    };
    assert_eq!(value(&loaded), value(&params));
}
