use faulty_backend::FaultyBackend;
use taper_backend::Device;
use taper_conformance::Checks;

#[test]
fn keeps_the_contract() {
    let verdict = Checks { methods: "gather", subjects: "gather" }.run(&Device::new(FaultyBackend));
    assert!(verdict.passed(), "{verdict}");
}
