//! Conversations, and their replies as samples.

use super::CharVocabulary;
use crate::{Batch, Dataset, Error, FieldSpec, Result};
use std::fmt;
use std::sync::Arc;
use taper_backend::{DType, RandomKey};

/// The target of what is no reply, which counts for nothing, as in PyTorch.
const NONE: i64 = -100;

/// Conversations: each is turns of speech, one after the other, none of them empty or with a line break.
///
/// As text, a turn is a line, and a blank line lies between conversations.
///
/// ```
/// use taper_data::Conversations;
/// let talk = Conversations::of_lines("Tea?\nYes, please.\n\nIs it late?\nVery.\nThen good night.\n");
/// assert_eq!((talk.all.len(), talk.replies()), (2, 3));
/// let told = "\"Do you prefer reading to cards?\" said he; \"that is singular.\"\n\n\"Not at all,\" she cried.";
/// let talk = Conversations::of_novel(told);
/// assert_eq!(talk.to_string(), "Do you prefer reading to cards? that is singular.\nNot at all,\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversations {
    /// The turns of each.
    pub all: Vec<Vec<String>>,
}

impl Conversations {
    /// Of a text with a turn a line and a blank line between conversations. Blanks around a turn are left out, and so are
    /// conversations of one turn, which have no reply.
    pub fn of_lines(text: &str) -> Self {
        Self::of(text.lines().map(plain))
    }

    /// Of the speech in a novel: what is in quotation marks, `"…"` or `“…”`, of each paragraph is a turn, and paragraphs
    /// without speech lie between conversations. Paragraphs are separated by blank lines.
    pub fn of_novel(text: &str) -> Self {
        let (mut turns, mut paragraph) = (Vec::new(), String::new());
        for line in text.lines().chain([""]) {
            if line.trim().is_empty() {
                if !paragraph.is_empty() {
                    turns.push(speech(&std::mem::take(&mut paragraph)));
                }
            } else {
                paragraph = paragraph + line + "\n";
            }
        }
        Self::of(turns.into_iter())
    }

    /// Of turns, of which an empty one lies between conversations.
    fn of(turns: impl Iterator<Item = String>) -> Self {
        let (mut all, mut open) = (Vec::new(), Vec::new());
        for turn in turns.chain([String::new()]) {
            if !turn.is_empty() {
                open.push(turn);
                continue;
            }
            let turns = std::mem::take(&mut open);
            if turns.len() > 1 {
                all.push(turns);
            }
        }
        Self { all }
    }

    /// Takes the last `fraction` of the conversations away, and gives them.
    ///
    /// # Errors
    /// When one of the two parts would be empty.
    pub fn split_off(&mut self, fraction: f64) -> Result<Self> {
        let all = self.all.len();
        let last = (all as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
        if last == 0 || last == all {
            let detail = format!("{fraction} of {all} conversations leaves {last} held out");
            return Err(Error::Argument(format!("{detail} and {} to learn from", all - last)));
        }
        Ok(Self { all: self.all.split_off(all - last) })
    }

    /// The turns that answer another.
    pub fn replies(&self) -> usize {
        self.all.iter().map(|turns| turns.len().saturating_sub(1)).sum()
    }
}

impl fmt::Display for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, turns) in self.all.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            turns.iter().try_for_each(|turn| writeln!(f, "{turn}"))?;
        }
        Ok(())
    }
}

/// What is in quotation marks. A mark that is not closed holds to the end: the speech goes on in the next paragraph.
fn speech(paragraph: &str) -> String {
    let (mut said, mut inside) = (String::new(), false);
    for char in paragraph.chars() {
        match char {
            '"' | '“' | '”' => {
                inside = if char == '"' { !inside } else { char == '“' };
                said.push(' ');
            }
            char if inside => said.push(char),
            _ => {}
        }
    }
    plain(&said)
}

/// The words, with one blank between them.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replies, each with what was said before it in its conversation. Batches have the fields `tokens` and `targets`, both
/// `[N, block]` in i64: `tokens` are what was said and the reply, each turn with a line break at its end, and `targets` the
/// token after each, where that is of the reply, and −100 elsewhere, as after the reply's end.
///
/// Of what was said the last turns are shown, as many as the block has room for; of one that it has none for, the end. A reply
/// that leaves less than a quarter of the block for what was said before it is cut at its end.
#[derive(Debug, Clone)]
pub struct ReplySamples {
    tokens: Arc<[u32]>,
    /// Where each turn begins, and where the last ends.
    starts: Arc<[usize]>,
    /// Of each reply the first turn of its conversation, and its own.
    replies: Vec<[usize; 2]>,
    block: usize,
    history: History,
}

/// What is shown of what was said before a reply.
#[derive(Debug, Clone, Copy)]
enum History {
    /// As many turns as fit.
    All,
    /// In each pass any number of these, by this stream.
    Drawn(RandomKey),
    /// The end of the turn before.
    None,
}

impl ReplySamples {
    /// All replies of `talk`, in blocks of `block` tokens, 8 or more.
    ///
    /// # Errors
    /// A block that is too short, a character outside the vocabulary (which must have the line break), no reply.
    pub fn new(talk: &Conversations, vocabulary: &CharVocabulary, block: usize) -> Result<Self> {
        if block < 8 {
            return Err(Error::Argument(format!("replies: expected a block of 8 tokens or more, found {block}")));
        }
        let (mut tokens, mut starts, mut replies) = (Vec::new(), Vec::new(), Vec::new());
        for turns in &talk.all {
            let first = starts.len();
            for turn in turns {
                if starts.len() > first {
                    replies.push([first, starts.len()]);
                }
                starts.push(tokens.len());
                tokens.extend(vocabulary.encode(&format!("{turn}\n"))?.into_iter().map(|token| token as u32));
            }
        }
        starts.push(tokens.len());
        if replies.is_empty() {
            return Err(Error::Argument("replies: expected conversations of two turns or more, found none".into()));
        }
        Ok(Self { tokens: tokens.into(), starts: starts.into(), replies, block, history: History::All })
    }

    /// To learn from: in each pass each reply has any number of the turns before it, one or more, drawn from `key`, the pass and
    /// the reply's number, so that a conversation may be joined late.
    #[must_use]
    pub fn joined_late(self, key: RandomKey) -> Self {
        Self { history: History::Drawn(key), ..self }
    }

    /// The same replies without what was said before them: only the end of the turn before, a line break, is left.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self { history: History::None, ..self.clone() }
    }

    /// At most `count` of the replies, evenly spaced; all for 0.
    #[must_use]
    pub fn at_most(mut self, count: usize) -> Self {
        let all = self.replies.len();
        if count > 0 && count < all {
            self.replies = (0..count).map(|i| self.replies[i * all / count]).collect();
        }
        self
    }

    /// The tokens of all conversations, one after the other.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What is shown in the pass `epoch` of what was said before the reply `index`, and of the reply; `None` if there are fewer.
    pub fn sample(&self, epoch: u64, index: usize) -> Option<[&[u32]; 2]> {
        let [first, own] = *self.replies.get(index)?;
        let (begin, end) = (self.starts[own], self.starts[own + 1]);
        let least = (begin - self.starts[first]).min(self.block / 4).max(1);
        let told = (end - begin).min(self.block + 1 - least);
        let room = self.block + 1 - told;
        let fits = (first..own).find(|turn| begin - self.starts[*turn] <= room);
        let said = match (self.history, fits) {
            (History::None, _) => 1,
            (_, None) => room,
            (History::All, Some(turn)) => begin - self.starts[turn],
            (History::Drawn(key), Some(turn)) => {
                begin - self.starts[turn + key.index(epoch).below(index as u64, own - turn)]
            }
        };
        Some([&self.tokens[begin - said..begin], &self.tokens[begin..begin + told]])
    }
}

impl Dataset for ReplySamples {
    fn len(&self) -> usize {
        self.replies.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        ["tokens", "targets"].map(|name| FieldSpec::new(name, DType::I64, &[self.block])).to_vec()
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let sample = |index: usize| {
            let wrong = || Error::Argument(format!("replies: expected a sample below {}, found {index}", self.len()));
            self.sample(epoch, index).ok_or_else(wrong)
        };
        let rows = batch.i64("tokens", &[indices.len(), self.block]);
        for (row, &index) in rows.chunks_exact_mut(self.block).zip(indices) {
            let [said, told] = sample(index)?;
            // The last token has no target here, and is shown to nobody.
            let shown = said.iter().chain(&told[..told.len() - 1]).map(|&token| i64::from(token));
            row.iter_mut().zip(shown.chain(std::iter::repeat(0))).for_each(|(to, token)| *to = token);
        }
        let rows = batch.i64("targets", &[indices.len(), self.block]);
        for (row, &index) in rows.chunks_exact_mut(self.block).zip(indices) {
            let [said, told] = sample(index)?;
            row.fill(NONE);
            row[said.len() - 1..].iter_mut().zip(told).for_each(|(to, &token)| *to = i64::from(token));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(data: &ReplySamples, index: usize) -> [Vec<i64>; 2] {
        let mut batch = Batch::default();
        batch.clear(1);
        data.fill(0, &[index], &mut batch).unwrap();
        ["tokens", "targets"].map(|field| batch.i64s(field).unwrap().to_vec())
    }

    /// As text: `.` for what is no target.
    fn shown(data: &ReplySamples, vocabulary: &CharVocabulary, index: usize) -> [String; 2] {
        let text = |tokens: Vec<i64>| -> String {
            let one = |token: i64| if token == NONE { ".".into() } else { vocabulary.decode(&[token]) };
            tokens.into_iter().map(one).collect::<String>().replace('\n', "/")
        };
        filled(data, index).map(text)
    }

    #[test]
    fn a_reply_is_what_is_learned_and_what_was_said_is_shown() {
        let talk = Conversations::of_lines("ab\ncd\ne\n\nf\n\n gh \nabcdefgh\r\n");
        assert_eq!(talk.to_string(), "ab\ncd\ne\n\ngh\nabcdefgh\n", "one that nobody answers is left out");
        let vocabulary = CharVocabulary::of(&talk.to_string());
        let data = ReplySamples::new(&talk, &vocabulary, 8).unwrap();
        assert_eq!((data.len(), vocabulary.decode(&[0])), (3, "\n".into()));
        // Padding is token 0, the line break, and has no target.
        assert_eq!(shown(&data, &vocabulary, 0), ["ab/cd///", "..cd/..."]);
        assert_eq!(shown(&data, &vocabulary, 1), ["ab/cd/e/", ".....e/."]);
        // Of nine tokens seven are the reply's, the others are a quarter of the block; its end is cut.
        assert_eq!(shown(&data, &vocabulary, 2), ["h/abcdef", ".abcdefg"]);
        assert_eq!(shown(&data.alone(), &vocabulary, 0), ["/cd/////", "cd/....."]);
        assert_eq!(shown(&data.alone(), &vocabulary, 2), ["/abcdef/", "abcdefg."]);
        let fewer = data.clone().at_most(2);
        assert_eq!((fewer.len(), filled(&fewer, 1)), (2, filled(&data, 1)));
        let mut batch = Batch::default();
        batch.clear(1);
        let text = data.fill(0, &[3], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "replies: expected a sample below 3, found 3");
    }

    /// Of the turns before those that fit, whole.
    #[test]
    fn of_a_long_conversation_the_last_turns_are_shown() {
        let talk = Conversations::of_lines("abcdefghij\nk\nl");
        let vocabulary = CharVocabulary::of(&talk.to_string());
        let data = ReplySamples::new(&talk, &vocabulary, 8).unwrap();
        assert_eq!(shown(&data, &vocabulary, 1), ["k/l/////", ".l/....."]);
    }

    #[test]
    fn what_is_learned_from_is_joined_late_too() {
        let talk = Conversations::of_lines("a\nb\nc\nd");
        let vocabulary = CharVocabulary::of(&talk.to_string());
        let data = ReplySamples::new(&talk, &vocabulary, 8).unwrap().joined_late(RandomKey::new(3));
        let said = |epoch, index| data.sample(epoch, index).unwrap()[0].len();
        let mut seen: Vec<usize> = (0..40).map(|epoch| said(epoch, 2)).collect();
        assert_eq!(seen, (0..40).map(|epoch| said(epoch, 2)).collect::<Vec<_>>());
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [2, 4, 6]);
        assert!((0..40).all(|epoch| said(epoch, 0) == 2));
    }

    #[test]
    fn speech_is_what_is_in_quotation_marks() {
        let novel = "It rained.\n\n\"Well,\" said he,\n\"it rains.\"\n\n“So it\ndoes,” she said. “Always.\n\n\"Yes.\"\n\nThey \
                     left.\n\n\"Alone.\"\n\nNobody heard.\n";
        let talk = Conversations::of_novel(novel);
        assert_eq!(talk.to_string(), "Well, it rains.\nSo it does, Always.\nYes.\n");
        assert_eq!(Conversations::of_novel("Nothing was said.\n").all.len(), 0);
    }

    #[test]
    fn conversations_are_held_out_whole() {
        let text = (0..10).map(|i| format!("a{i}\nb{i}\n\n")).collect::<String>();
        let mut talk = Conversations::of_lines(&text);
        let held = talk.split_off(0.2).unwrap();
        assert_eq!((talk.all.len(), held.to_string()), (8, "a8\nb8\n\na9\nb9\n".into()));
        let text = talk.split_off(0.01).unwrap_err().to_string();
        assert_eq!(text, "0.01 of 8 conversations leaves 0 held out and 8 to learn from");
    }

    #[test]
    fn what_cannot_be_is_told() {
        let vocabulary = CharVocabulary::of("ab\n");
        let says = |text: &str, block: usize, due: &str| {
            let found = ReplySamples::new(&Conversations::of_lines(text), &vocabulary, block);
            assert_eq!(found.unwrap_err().to_string(), due);
        };
        says("a\nb", 7, "replies: expected a block of 8 tokens or more, found 7");
        says("a\n\nb", 8, "replies: expected conversations of two turns or more, found none");
        says("a\nc", 8, "vocabulary: character 1 of the text, 'c', is none of its 3 characters");
    }
}
