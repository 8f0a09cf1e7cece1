//! Lists that people write in one line.

/// What was written between commas, or else line breaks: names of models may have spaces.
pub fn listed(text: &str) -> Vec<String> {
    let parts = text.split([',', '\n']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_between_commas_keep_their_spaces() {
        assert_eq!(
            listed(" https://a, https://b:8443\nhttps://c ,my model"),
            ["https://a", "https://b:8443", "https://c", "my model"]
        );
        assert!(listed(" , ").is_empty());
    }
}
