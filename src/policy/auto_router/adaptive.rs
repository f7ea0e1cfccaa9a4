//! By what was learnt: for each kind of request and each group a belief of how good its answers are, from which one is drawn at
//! random each time (Thompson's way of trying out what is not known and using what is).
//!
//! The belief is a Beta distribution: what the configuration says of the group, as if from ten answers, and what users said
//! since. Nothing here keeps it: [`Learnt`] is what the owner of that state has published.

use std::sync::Arc;

use super::feedback::Feedback;
use super::request_type::RequestType;

/// What the configuration alone is worth, in answers.
const PRIOR_MASS: f64 = 10.0;
/// A group that says it is good at a kind of request is believed to be so much better at it.
const STRENGTH: f64 = 0.3;
/// Nobody is believed to be better than this before answers show it.
const BEST_PRIOR: f64 = 0.95;
/// So many answers at most are remembered; what comes later changes nothing.
pub const MOST_ANSWERS: f64 = 200.0;

/// How much the two things count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub quality: f64,
    pub cost: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            quality: 0.7,
            cost: 0.3,
        }
    }
}

/// `adaptive_router_config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Groups that may be chosen.
    pub available: Vec<Arc<str>>,
    pub default: Option<Arc<str>>,
    pub weights: Weights,
}

/// A group as its deployments describe it (`model_info.adaptive_router_preferences`).
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    pub group: Arc<str>,
    /// 1 (cheap) to 3 (best).
    pub tier: u8,
    pub strengths: Vec<RequestType>,
    /// Dollars an input token; unknown is dearest.
    pub cost: Option<f64>,
}

/// What users said of a group's answers to one kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learnt {
    pub good: f64,
    pub bad: f64,
}

impl Learnt {
    /// Of so many answers; of more than are remembered in the same proportion.
    pub fn of_answers(good: i64, bad: i64) -> Self {
        let (good, bad) = (good.max(0) as f64, bad.max(0) as f64);
        let room = MOST_ANSWERS - PRIOR_MASS;
        let share = f64::min(1.0, room / (good + bad).max(1.0));
        Self {
            good: (good * share).floor(),
            bad: (bad * share).floor(),
        }
    }

    /// Adds what a user said of one answer, up to [`MOST_ANSWERS`] with what the configuration is worth.
    pub fn add(&mut self, feedback: Feedback) {
        if PRIOR_MASS + self.good + self.bad + 1.0 > MOST_ANSWERS {
            return;
        }
        match feedback {
            Feedback::Good => self.good += 1.0,
            Feedback::Bad => self.bad += 1.0,
        }
    }
}

impl Arm {
    /// Both parameters of the belief about this kind of request.
    pub fn belief(&self, kind: RequestType, learnt: Learnt) -> (f64, f64) {
        let base = match self.tier {
            0 | 1 => 0.3,
            2 => 0.5,
            _ => 0.7,
        };
        let strength = if self.strengths.contains(&kind) {
            STRENGTH
        } else {
            0.0
        };
        let mean = f64::min(base + strength, BEST_PRIOR);
        (
            mean * PRIOR_MASS + learnt.good,
            (1.0 - mean) * PRIOR_MASS + learnt.bad,
        )
    }
}

/// An adaptive router with the groups it chooses from.
#[derive(Clone, Debug)]
pub struct Router {
    pub settings: Settings,
    pub arms: Vec<Arm>,
    /// By arm: 1 the cheapest, 0 the dearest.
    cheapness: Vec<f64>,
}

impl Router {
    pub fn new(settings: Settings, arms: Vec<Arm>) -> Self {
        let costs = || arms.iter().filter_map(|arm| arm.cost);
        let (least, most) = (
            costs().fold(f64::INFINITY, f64::min),
            costs().fold(0.0, f64::max),
        );
        let cheapness = |arm: &Arm| match arm.cost {
            None => 0.0,
            Some(_) if most <= least => 1.0,
            Some(cost) => (most - cost) / (most - least),
        };
        Self {
            cheapness: arms.iter().map(cheapness).collect(),
            settings,
            arms,
        }
    }

    /// The group for this kind of request, of those whose tier is `floor` or better; where none is, of the best there are.
    /// `learnt` answers by the place of an arm; `random` gives numbers that are uniform in `[0, 1)`. `None`: no group is there.
    pub fn choose(
        &self,
        kind: RequestType,
        floor: u8,
        learnt: impl Fn(usize) -> Learnt,
        random: &mut impl FnMut() -> f64,
    ) -> Option<&Arc<str>> {
        let best_tier = self.arms.iter().map(|arm| arm.tier).max()?;
        let floor = floor.min(best_tier);
        let weights = &self.settings.weights;
        let mut best: Option<(f64, &Arc<str>)> = None;
        for (place, arm) in self
            .arms
            .iter()
            .enumerate()
            .filter(|(_, arm)| arm.tier >= floor)
        {
            let (alpha, beta) = arm.belief(kind, learnt(place));
            let score = weights.quality * beta_sample(alpha, beta, random)
                + weights.cost * self.cheapness[place];
            if best.is_none_or(|(known, _)| score > known) {
                best = Some((score, &arm.group));
            }
        }
        best.map(|(_, group)| group)
    }
}

/// A draw from the Beta distribution, by two from Gamma's.
fn beta_sample(alpha: f64, beta: f64, random: &mut impl FnMut() -> f64) -> f64 {
    let (x, y) = (gamma_sample(alpha, random), gamma_sample(beta, random));
    if x + y > 0.0 { x / (x + y) } else { 0.5 }
}

/// A draw from the Gamma distribution of this shape (Marsaglia and Tsang, 2000). What is refused again and again, which no honest
/// source of chance does, is taken for the mean.
fn gamma_sample(shape: f64, random: &mut impl FnMut() -> f64) -> f64 {
    if shape < 1.0 {
        let u = random().max(f64::MIN_POSITIVE);
        return gamma_sample(shape + 1.0, random) * u.powf(1.0 / shape.max(1e-3));
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for _ in 0..64 {
        let x = normal_sample(random);
        let v = (1.0 + c * x).powi(3);
        let u = random().max(f64::MIN_POSITIVE);
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
    shape
}

/// A draw from the normal distribution (Box and Muller, 1958).
fn normal_sample(random: &mut impl FnMut() -> f64) -> f64 {
    let (u, v) = (random().max(f64::MIN_POSITIVE), random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arm(group: &str, tier: u8, cost: f64) -> Arm {
        Arm {
            group: group.into(),
            tier,
            strengths: vec![RequestType::Writing],
            cost: Some(cost),
        }
    }

    /// How often each of two groups is chosen in a thousand times.
    fn shares(router: &Router, floor: u8, learnt: &[Learnt]) -> Vec<usize> {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut random = || chance.f64();
        let mut counts = vec![0; router.arms.len()];
        for _ in 0..1_000 {
            let of = |place: usize| learnt.get(place).copied().unwrap_or_default();
            let group = router
                .choose(RequestType::General, floor, of, &mut random)
                .unwrap();
            let place = router
                .arms
                .iter()
                .position(|arm| arm.group == *group)
                .unwrap();
            counts[place] += 1;
        }
        counts
    }

    #[test]
    fn beliefs_begin_as_the_configuration_says() {
        let arm = arm("a", 2, 1.0);
        let mean = |(alpha, beta): (f64, f64)| alpha / (alpha + beta);
        let none = Learnt::default();
        assert_eq!(arm.belief(RequestType::General, none), (5.0, 5.0));
        assert!((mean(arm.belief(RequestType::Writing, none)) - 0.8).abs() < 1e-9);
        let best = Arm {
            tier: 3,
            ..arm.clone()
        };
        assert!((mean(best.belief(RequestType::Writing, none)) - 0.95).abs() < 1e-9);
        let mut learnt = Learnt::default();
        for _ in 0..500 {
            learnt.add(Feedback::Good);
        }
        assert_eq!(learnt.good, MOST_ANSWERS - PRIOR_MASS);
        // Several instances may have written more together.
        let of = |good, bad| Learnt { good, bad };
        assert_eq!(Learnt::of_answers(3, 1), of(3.0, 1.0));
        assert_eq!(Learnt::of_answers(285, 95), of(142.0, 47.0));
        assert_eq!(Learnt::of_answers(-1, i64::MAX), of(0.0, 190.0));
    }

    #[test]
    fn what_users_say_decides_in_the_end() {
        let router = Router::new(
            Settings::default(),
            vec![arm("cheap", 1, 1.0), arm("dear", 3, 10.0)],
        );
        let unknown = shares(&router, 0, &[]);
        assert!(
            unknown[0] > 100 && unknown[1] > 100,
            "both are tried: {unknown:?}"
        );
        let poor = Learnt {
            good: 5.0,
            bad: 150.0,
        };
        let fine = Learnt {
            good: 150.0,
            bad: 5.0,
        };
        assert!(shares(&router, 0, &[poor, fine])[1] > 990);
        assert!(
            shares(&router, 0, &[fine, fine])[0] > 990,
            "of equally good ones the cheaper"
        );
    }

    #[test]
    fn a_floor_leaves_out_what_is_below_it() {
        let arms = vec![arm("cheap", 1, 1.0), arm("mid", 2, 5.0)];
        let router = Router::new(Settings::default(), arms);
        assert_eq!(shares(&router, 2, &[]), [0, 1_000]);
        assert_eq!(
            shares(&router, 3, &[]),
            [0, 1_000],
            "nobody is that good: the best there is"
        );
        let nobody = Router::new(Settings::default(), Vec::new());
        assert_eq!(
            nobody.choose(RequestType::General, 0, |_| Learnt::default(), &mut || 0.5),
            None
        );
    }

    #[test]
    fn draws_have_the_mean_and_spread_of_their_distribution() {
        let mut chance = fastrand::Rng::with_seed(3);
        for (alpha, beta) in [(3.0, 7.0), (0.5, 0.5), (150.0, 50.0), (1.0, 1.0)] {
            let draws: Vec<f64> = (0..20_000)
                .map(|_| beta_sample(alpha, beta, &mut || chance.f64()))
                .collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let spread =
                draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
            let sum: f64 = alpha + beta;
            let expected = (alpha / sum, alpha * beta / (sum * sum * (sum + 1.0)));
            assert!((mean - expected.0).abs() < 0.01, "{alpha} {beta}: {mean}");
            assert!(
                (spread - expected.1).abs() < 0.01,
                "{alpha} {beta}: {spread}"
            );
        }
    }

    proptest! {
        /// Whatever is learnt and however chance falls, one of those at the floor is chosen, and nothing panics.
        #[test]
        fn one_is_always_chosen(
            tiers in proptest::collection::vec(1u8..4, 1..6),
            floor in 0u8..5,
            good in 0.0..190.0f64,
            bad in 0.0..190.0f64,
            constant in 0.0..1.0f64,
        ) {
            let arms: Vec<Arm> = tiers.iter().map(|tier| arm(&tier.to_string(), *tier, f64::from(*tier))).collect();
            let router = Router::new(Settings::default(), arms);
            let learnt = |_| Learnt { good, bad };
            let chosen = router.choose(RequestType::Writing, floor, learnt, &mut || constant).unwrap();
            let tier: u8 = chosen.parse().unwrap();
            prop_assert!(tier >= floor.min(*tiers.iter().max().unwrap()));
        }
    }
}
