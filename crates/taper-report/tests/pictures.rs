//! Pictures of plain numbers.

use taper_report::Picture;

#[test]
fn wrong_pictures_are_told() {
    let texts = [
        (
            Picture::new([4, 1, 1], vec![0; 4]),
            "picture: expected a shape [1, H, W] or [3, H, W] with H, W > 0, found [4, 1, 1]",
        ),
        (
            Picture::new([1, 0, 1], vec![]),
            "picture: expected a shape [1, H, W] or [3, H, W] with H, W > 0, found [1, 0, 1]",
        ),
        (Picture::new([3, 2, 2], vec![0; 11]), "picture: shape [3, 2, 2] does not hold 11 values"),
        (
            Picture::new([3, usize::MAX, 2], vec![0; 2]),
            "picture: shape [3, 18446744073709551615, 2] does not hold 2 values",
        ),
        (Picture::visible([2, 2, 2], &[0; 4]), "picture: shape [2, 2, 2] does not hold 4 values"),
        (
            Picture::visible([2, usize::MAX, 2], &[]),
            "picture: shape [2, 18446744073709551615, 2] does not hold 0 values",
        ),
        (Picture::visible([0, 2, 2], &[]), "picture: shape [1, 2, 2] does not hold 0 values"),
        (Picture::grid(&[], 2), "picture grid: expected a picture at least, found none"),
    ];
    for (found, text) in texts {
        assert_eq!(found.unwrap_err().to_string(), text);
    }
    let pictures = [Picture::new([1, 1, 1], vec![0]).unwrap(), Picture::new([1, 1, 2], vec![0; 2]).unwrap()];
    let text = Picture::grid(&pictures, 2).unwrap_err().to_string();
    assert_eq!(text, "picture grid: expected one shape, found [1, 1, 1] and [1, 1, 2]");
}

#[test]
fn a_grid_has_lines_between() {
    let pictures = [1, 2, 3].map(|value| Picture::new([1, 1, 2], vec![value; 2]).unwrap());
    let grid = Picture::grid(&pictures, 2).unwrap();
    assert_eq!(grid.shape(), [1, 3, 5]);
    let w = 255;
    assert_eq!(grid.values(), [[1, 1, w, 2, 2], [w; 5], [3, 3, w, w, w]].concat());
}

#[test]
fn of_an_odd_number_of_channels_the_first_is_seen() {
    let values: Vec<u8> = (0..12).collect();
    assert_eq!(Picture::visible([3, 2, 2], &values).unwrap(), Picture::new([3, 2, 2], values.clone()).unwrap());
    assert_eq!(Picture::visible([2, 2, 3], &values).unwrap(), Picture::new([1, 2, 3], values[..6].to_vec()).unwrap());
}

#[test]
fn numbers_of_either_sign_are_around_grey() {
    let of = |values: &[f32]| Picture::from_signed([1, 1, values.len()], values).unwrap().values().to_vec();
    assert_eq!(of(&[0.0, 0.5, -0.5, 0.25, f32::NAN]), [128, 255, 1, 192, 0]);
    assert_eq!(of(&[0.0, 0.0]), [128, 128]);
    assert_eq!(of(&[f32::INFINITY, 1.0, f32::NEG_INFINITY]), [255, 255, 0]);
    let six: Vec<f32> = (0..6).map(|at| at as f32).collect();
    assert_eq!(Picture::from_signed([6, 1, 1], &six).unwrap().shape(), [1, 1, 1]);
}
