//! Files of NumPy.

mod common;

use common::{data, expected, labels, numbers};
use taper_data::read_npy;

#[test]
fn npy_files_are_read_as_they_were_written() {
    for name in ["x.npy", "x32.npy"] {
        let table = read_npy(data(name), data("y.npy")).unwrap();
        assert_eq!((table.values(), table.labels()), (&numbers(&expected()["x"])[..], &labels().0[..]), "{name}");
        assert_eq!(table.classes(), ["0", "1", "2", "3"]);
    }
    let text = read_npy(data("none.npy"), data("y.npy")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read ") && text.contains("none.npy"), "{text}");
}

#[cfg(feature = "npz")]
mod npz {
    use super::*;
    use common::changed;
    use proptest::prelude::*;
    use std::fs;
    use taper_data::read_npz;

    #[test]
    fn npz_files_are_read_as_they_were_written() {
        for (name, key) in [("plain.npz", "x"), ("compressed.npz", "rounded")] {
            let table = read_npz(data(name), "x", "y").unwrap();
            assert_eq!((table.values(), table.labels()), (&numbers(&expected()[key])[..], &labels().0[..]), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = read_npz(data("plain.npz"), "images", "y").unwrap_err().to_string();
        assert!(
            text.contains("plain.npz: archive: expected an array `images` (file `images.npy`), found `x.npy`, `y.npy`"),
            "{text}"
        );
        let text = read_npz(data("plain.npz"), "y", "y").unwrap_err().to_string();
        assert!(text.ends_with("shape: expected [N, F], found [12]"), "{text}");
        let text = read_npz(data("x.npy"), "x", "y").unwrap_err().to_string();
        assert!(text.contains("x.npy: archive: not a sound .npz file: "), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            keep in 0_usize..800,
            changes in prop::collection::vec((0_usize..800, any::<u8>()), 0..4),
            plain in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.npz");
            let name = if plain { "plain.npz" } else { "compressed.npz" };
            fs::write(&path, changed(&fs::read(data(name)).unwrap(), keep, &changes)).unwrap();
            let _ = read_npz(&path, "x", "y");
        }
    }
}
