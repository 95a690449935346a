//! Broadcasting: pairs of shapes with the shape that both broadcast to, or the error.

use taper_backend::Shape;

fn main() {
    let pairs: [(&[usize], &[usize]); 4] = [(&[4, 3], &[3]), (&[2, 1, 3], &[4, 1]), (&[], &[2, 2]), (&[4, 3], &[4])];
    for (a, b) in pairs {
        match Shape::from(a).broadcast_with(&b.into(), "add") {
            Ok(shape) => println!("{a:?} + {b:?} = {shape}"),
            Err(error) => println!("{error}"),
        }
    }
}
