//! Addresses of what has another path by now: a model or project that was renamed is found by its old path, too.

use super::address;

/// The same address under the path that something has `now`, where it was asked for by another; none where that is its
/// path still, where the address is of something else, and where one path is a project's and the other a model's.
pub fn follow(here: &str, asked: &str, now: &str) -> Option<String> {
    let end = here.find(['?', '#']).unwrap_or(here.len());
    let (pathname, after) = here.split_at(end);
    let segments: Vec<_> =
        pathname.strip_prefix(address::root())?.strip_prefix('/')?.split('/').collect();
    let parts: Vec<_> = asked.split('/').collect();
    let (head, rest) = segments.split_at_checked(parts.len())?;
    let is_of = |(segment, part): (&&str, &&str)| decoded(segment).as_deref() == Some(*part);
    if asked == now || now.split('/').count() != parts.len() || !head.iter().zip(&parts).all(is_of)
    {
        return None;
    }
    let head = address::model(now);
    let kept: String = rest.iter().map(|segment| format!("/{segment}")).collect();
    Some(format!("{head}{kept}{after}"))
}

/// A segment as text: browsers encode other characters than we do.
fn decoded(segment: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut bytes, mut rest) = (Vec::new(), segment.as_bytes());
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => (digit(*high)? * 16 + digit(*low)?, after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::follow;

    #[test]
    fn the_rest_of_an_address_stays() {
        let of = |here: &str| follow(here, "v/old", "v/new name");
        assert_eq!(of("/v/old").as_deref(), Some("/v/new%20name"));
        assert_eq!(of("/v/old/-/edit").as_deref(), Some("/v/new%20name/-/edit"));
        assert_eq!(
            of("/v/old/versions/1.0.0%2Bb?against=0.9.0&q=%25#files").as_deref(),
            Some("/v/new%20name/versions/1.0.0%2Bb?against=0.9.0&q=%25#files")
        );
        let moved = follow("/old/-/experiments?q=/old", "old", "new");
        assert_eq!(moved.as_deref(), Some("/new/-/experiments?q=/old"));
        // Its project was renamed.
        assert_eq!(follow("/old/m/versions", "old/m", "new/m").as_deref(), Some("/new/m/versions"));
    }

    #[test]
    fn browsers_encode_in_their_own_way() {
        let moved = Some("/v/new".to_owned());
        assert_eq!(follow("/v/a%20(b)%c3%a9", "v/a (b)é", "v/new"), moved);
        assert_eq!(follow("/v/a%20%28b%29%C3%A9", "v/a (b)é", "v/new"), moved);
        assert_eq!(follow("/v/100%25", "v/100%", "v/new"), moved);
    }

    #[test]
    fn other_addresses_stay() {
        for here in ["/", "/v", "/v/older", "/w/old", "/v/%FF", "/v/%zz", "/v/%2"] {
            assert_eq!(follow(here, "v/old", "v/new"), None, "{here}");
        }
        assert_eq!(follow("/v/old", "v/old", "v/old"), None);
        assert_eq!(follow("/v/-/runs/ab12", "v", "w/m"), None);
    }
}
