//! By meaning: routes with examples of what is said there, and the one whose example is nearest.

use std::sync::Arc;

/// The least nearness of a route that says none.
pub const THRESHOLD: f64 = 0.5;
/// So much of a text is compared, in characters, unless the configuration says otherwise.
pub const MOST_CHARS: usize = 2_000;

/// `auto_router_config` and what stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub comparison: Comparison,
    /// Where nothing is near enough, or something went wrong.
    pub default: Arc<str>,
}

/// What texts are compared with, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub routes: Vec<Route>,
    /// The group whose model makes the vectors.
    pub embedding: Arc<str>,
    /// Characters of a text that are compared.
    pub most_chars: usize,
}

/// A group, and what is said there.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: Arc<str>,
    pub utterances: Vec<String>,
    /// The least nearness, from −1 to 1.
    pub threshold: f64,
}

impl Comparison {
    /// All examples, route by route: the order of the vectors that [`Examples::new`] takes.
    pub fn utterances(&self) -> impl Iterator<Item = &str> {
        self.routes
            .iter()
            .flat_map(|route| route.utterances.iter().map(String::as_str))
    }

    /// What is compared of a text.
    pub fn compared<'a>(&self, text: &'a str) -> &'a str {
        let end = text.char_indices().nth(self.most_chars);
        end.map_or(text, |(end, _)| &text[..end])
    }
}

/// The vectors of all examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// The route's place, and the vector at length 1.
    vectors: Vec<(usize, Vec<f32>)>,
}

impl Examples {
    /// `None` where there is not one vector for each example, or their lengths differ, or one has no direction.
    pub fn new(settings: &Comparison, vectors: Vec<Vec<f32>>) -> Option<Self> {
        let length = vectors.first()?.len();
        let places = settings.routes.iter().enumerate();
        let places = places.flat_map(|(place, route)| route.utterances.iter().map(move |_| place));
        let places: Vec<usize> = places.collect();
        if places.len() != vectors.len() || vectors.iter().any(|vector| vector.len() != length) {
            return None;
        }
        let unit = vectors.into_iter().map(unit).collect::<Option<Vec<_>>>()?;
        Some(Self {
            vectors: places.into_iter().zip(unit).collect(),
        })
    }

    /// The place of the route with the nearest example, among those that are near enough; of equally near ones the first.
    pub fn nearest(&self, settings: &Comparison, vector: Vec<f32>) -> Option<usize> {
        let asked = unit(vector)?;
        let mut best: Option<(f64, usize)> = None;
        for (place, example) in &self.vectors {
            if example.len() != asked.len() {
                return None;
            }
            let nearness: f64 = example
                .iter()
                .zip(&asked)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            let is_near = settings
                .routes
                .get(*place)
                .is_some_and(|route| nearness >= route.threshold);
            if is_near && best.is_none_or(|(known, _)| nearness > known) {
                best = Some((nearness, *place));
            }
        }
        best.map(|(_, place)| place)
    }
}

/// The vector at length 1; `None` where it has no direction.
fn unit(vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    let has_direction = length.is_finite() && length > 0.0;
    has_direction.then(|| {
        vector
            .into_iter()
            .map(|x| (f64::from(x) / length) as f32)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(thresholds: &[f64]) -> Comparison {
        let route = |(n, threshold): (usize, &f64)| Route {
            name: n.to_string().into(),
            utterances: vec!["a".into(), "b".into()],
            threshold: *threshold,
        };
        Comparison {
            routes: thresholds.iter().enumerate().map(route).collect(),
            embedding: "embedding".into(),
            most_chars: 3,
        }
    }

    #[test]
    fn the_nearest_example_counts() {
        let settings = settings(&[0.5, 0.9]);
        let vectors = vec![
            vec![1.0, 0.0],
            vec![0.0, 2.0],
            vec![-3.0, 0.0],
            vec![0.0, -1.0],
        ];
        let examples = Examples::new(&settings, vectors).unwrap();
        let nearest = |x: f32, y: f32| examples.nearest(&settings, vec![x, y]);
        assert_eq!(nearest(5.0, 1.0), Some(0));
        assert_eq!(nearest(0.1, 7.0), Some(0));
        assert_eq!(nearest(-5.0, 0.1), Some(1));
        assert_eq!(
            nearest(-1.0, -1.0),
            None,
            "near to the second, and not near enough"
        );
        assert_eq!(nearest(0.0, 0.0), None);
        assert_eq!(
            examples.nearest(&settings, vec![1.0]),
            None,
            "another model's vector"
        );
        assert_eq!(settings.compared("äöüß"), "äöü");
        assert_eq!(settings.utterances().count(), 4);
    }

    #[test]
    fn vectors_that_are_no_examples() {
        let settings = settings(&[0.5]);
        for vectors in [
            vec![],
            vec![vec![1.0]],
            vec![vec![1.0], vec![1.0, 2.0]],
            vec![vec![1.0], vec![0.0]],
            vec![vec![1.0], vec![f32::NAN]],
        ] {
            assert_eq!(Examples::new(&settings, vectors), None);
        }
    }

    proptest! {
        /// An example's own text leads to its route, whatever the vectors' lengths.
        #[test]
        fn examples_lead_to_their_routes(
            angles in proptest::collection::vec(0.0..6.2f32, 4..=4),
            scale in 0.01..100.0f32,
            pick in 0usize..4,
        ) {
            let settings = settings(&[0.5, 0.5]);
            let vectors: Vec<Vec<f32>> = angles.iter().map(|angle| vec![angle.cos(), angle.sin()]).collect();
            let asked = vectors[pick].iter().map(|x| x * scale).collect();
            let same = |a: f32, b: f32| (a - b).abs() < 1e-3 || (a - b).abs() > 6.2;
            let alone = angles.iter().enumerate().all(|(n, angle)| n / 2 == pick / 2 || !same(*angle, angles[pick]));
            let examples = Examples::new(&settings, vectors).unwrap();
            if alone {
                prop_assert_eq!(examples.nearest(&settings, asked), Some(pick / 2));
            }
        }
    }
}
