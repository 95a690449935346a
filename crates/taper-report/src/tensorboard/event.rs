//! TensorFlow's protobuf messages: `Event`, `Summary`, and the values of a summary. The numbers are those of the fields
//! in `event.proto`, `summary.proto` and `tensor.proto`.

use super::{Histogram, wire::Message};
use crate::Picture;

/// The first event of a file, which holds its version.
pub(super) fn version(wall_time: f64) -> Message {
    Message::default().double(1, wall_time).bytes(3, "brain.Event:2")
}

/// An event with one summary value.
pub(super) fn summary(wall_time: f64, step: u64, value: Message) -> Message {
    Message::default().double(1, wall_time).int(2, step as i64).message(5, Message::default().message(1, value))
}

fn value(tag: &str) -> Message {
    Message::default().bytes(1, tag)
}

/// A scalar: `simple_value`, an f32.
pub(super) fn scalar(tag: &str, number: f64) -> Message {
    value(tag).float(2, number as f32)
}

pub(super) fn image(tag: &str, picture: &Picture) -> Message {
    let [channels, height, width] = picture.shape().map(|length| length as i64);
    let image = Message::default().int(1, height).int(2, width).int(3, channels).bytes(4, picture.png());
    value(tag).message(4, image)
}

pub(super) fn histogram(tag: &str, histogram: &Histogram) -> Message {
    let counts: Vec<f64> = histogram.counts.iter().map(|&count| count as f64).collect();
    let message = Message::default().double(1, histogram.min).double(2, histogram.max).double(3, histogram.num as f64);
    let message = message.double(4, histogram.sum).double(5, histogram.sum_squares);
    value(tag).message(5, message.doubles(6, &histogram.limits).doubles(7, &counts))
}

/// A text: a string tensor for the plug-in `text`, which renders Markdown.
pub(super) fn text(tag: &str, text: &str) -> Message {
    const DT_STRING: i64 = 7;
    let shape = Message::default().message(2, Message::default().int(1, 1));
    let metadata = Message::default().message(1, Message::default().bytes(1, "text"));
    let tensor = Message::default().int(1, DT_STRING).message(2, shape).bytes(8, text);
    value(tag).message(9, metadata).message(8, tensor)
}
