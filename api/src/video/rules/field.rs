//! The plain fields: each is one of the model's allowed values, or left out for its default.

use std::collections::BTreeSet;

use super::Review;
use super::flags::without_flags;
use crate::video::catalog::{AspectRatio, Audio, InputMode, OptionName, Resolution, join};

impl Review<'_> {
    /// A missing mode is an error of its own already.
    pub(super) fn mode(&mut self) -> Option<InputMode> {
        let mode = self.request.input_mode?;
        if self.model.modes.contains(&mode) {
            return Some(mode);
        }
        let message = format!("{} takes {}", self.model.id, join(&self.model.modes));
        self.error("inputMode", message);
        None
    }

    /// Only one of those that have a route to the model; in test mode as well, so that a test says what live would.
    pub(super) fn provider(&mut self) {
        let Some(wanted) = &self.request.provider else { return };
        let serving: BTreeSet<&str> = self.model.routes.iter().map(|route| route.provider.as_str()).collect();
        if !serving.contains(wanted.as_str()) {
            let message = format!("{} is served by {}", self.model.id, join(serving));
            self.error("provider", message);
        }
    }

    pub(super) fn prompt(&mut self) -> Option<String> {
        let prompt = self.request.prompt.clone().filter(|text| !text.trim().is_empty());
        match &prompt {
            None if self.needs_prompt() => self.error("prompt", "Required"),
            Some(text) => self.length("prompt", text),
            None => {}
        }
        if self.model.flags_in_prompts { prompt.map(|text| self.without_flags(text)) } else { prompt }
    }

    /// A prompt that can't change what is priced.
    fn without_flags(&mut self, prompt: String) -> String {
        let left = without_flags(&prompt);
        if left.is_empty() {
            self.error(
                "prompt",
                "Nothing is left of it without its flags (--word value), which are not sent",
            );
        } else if left != prompt.trim() {
            self.warn("prompt: flags (--word value) are not sent; what can be chosen has a field of its own");
        }
        left
    }

    fn needs_prompt(&self) -> bool {
        match self.request.input_mode {
            Some(mode) => self.model.needs_prompt(mode),
            None => self.model.prompt_required,
        }
    }

    pub(super) fn negative_prompt(&mut self, wish: Option<String>) -> Option<String> {
        let text = wish.filter(|text| !text.trim().is_empty())?;
        self.length("negativePrompt", &text);
        self.sent(OptionName::NegativePrompt, "negativePrompt").then_some(text)
    }

    fn length(&mut self, field: &str, text: &str) {
        let max = self.model.prompt_max_chars;
        if text.chars().count() > max {
            self.error(field, format!("Must be at most {max} characters"));
        }
    }

    /// Any u32. It is refused out of bounds even for a model without seeds, so that a typo shows.
    pub(super) fn seed(&mut self, wish: Option<i64>) -> Option<u32> {
        let Ok(seed) = u32::try_from(wish?) else {
            self.error("seed", format!("Must be 0 to {}", u32::MAX));
            return None;
        };
        self.sent(OptionName::Seed, "seed").then_some(seed)
    }

    /// Whether the model takes this field. If not, the customer is told instead of refused: the wish costs nothing,
    /// and clients set it for every model.
    fn sent(&mut self, option: OptionName, field: &str) -> bool {
        let taken = self.model.has_option(option);
        if !taken {
            self.warn(format!("{field}: not sent, {} does not take it", self.model.id));
        }
        taken
    }

    pub(super) fn duration(&mut self, wish: Option<u32>) -> Option<u32> {
        let seconds = wish.unwrap_or(self.model.default_duration_s);
        if self.model.durations.contains(seconds) {
            return Some(seconds);
        }
        let longer = self.model.durations.iter().find(|longer| *longer > seconds);
        if let (true, 1.., Some(longer)) = (self.model.rounds_duration_up, seconds, longer) {
            self.warn(format!("duration: {} makes {longer} seconds of {seconds}", self.model.id));
            return Some(longer);
        }
        let allowed = self.model.durations.allowed_text();
        self.error("duration", format!("Allowed for {}: {allowed} seconds", self.model.id));
        None
    }

    pub(super) fn resolution(&mut self, wish: Option<&str>) -> Option<Resolution> {
        let Some(text) = wish else {
            return Some(self.model.default_resolution);
        };
        let allowed = &self.model.resolutions;
        let value = text.parse().ok().filter(|value| allowed.contains(value));
        self.or_not_allowed(value, "resolution", join(allowed))
    }

    pub(super) fn aspect_ratio(&mut self, wish: Option<&str>) -> Option<AspectRatio> {
        let Some(text) = wish else {
            return Some(self.model.default_aspect_ratio);
        };
        let allowed = &self.model.aspect_ratios;
        let value = text.parse().ok().filter(|value| allowed.contains(value));
        self.or_not_allowed(value, "aspectRatio", join(allowed))
    }

    fn or_not_allowed<T>(&mut self, value: Option<T>, field: &str, allowed: String) -> Option<T> {
        if value.is_none() {
            self.error(field, format!("Allowed for {}: {allowed}", self.model.id));
        }
        value
    }

    pub(super) fn audio(&mut self, wish: Option<bool>) -> Option<bool> {
        let on = wish.unwrap_or(self.model.audio.default_on());
        if self.model.audio.choices().contains(&on) {
            return Some(on);
        }
        let always = self.model.audio == Audio::Always;
        let fact = if always { "always makes sound" } else { "makes no sound" };
        self.error("generateAudio", format!("{} {fact}", self.model.id));
        None
    }

    pub(super) fn count(&mut self, wish: Option<u32>) -> Option<u16> {
        let max = self.model.count_max;
        let count = u16::try_from(wish.unwrap_or(1)).ok().filter(|n| (1..=max).contains(n));
        if count.is_none() {
            self.error("count", format!("Must be 1 to {max} for {}", self.model.id));
        }
        count
    }
}
