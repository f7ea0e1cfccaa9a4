//! How difficult a request is, by what its words tell: a weighted sum of seven signals.

use std::sync::LazyLock;

use super::words::{Words, searched};

/// How much each signal counts. `simple` is a signal of −1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub tokens: f64,
    pub code: f64,
    pub reasoning: f64,
    pub technical: f64,
    pub simple: f64,
    pub multi_step: f64,
    pub questions: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            tokens: 0.10,
            code: 0.30,
            reasoning: 0.25,
            technical: 0.25,
            simple: 0.05,
            multi_step: 0.03,
            questions: 0.02,
        }
    }
}

impl Weights {
    /// A weight by its name in `dimension_weights`.
    pub fn named(&mut self, name: &str) -> Option<&mut f64> {
        Some(match name {
            "tokenCount" => &mut self.tokens,
            "codePresence" => &mut self.code,
            "reasoningMarkers" => &mut self.reasoning,
            "technicalTerms" => &mut self.technical,
            "simpleIndicators" => &mut self.simple,
            "multiStepPatterns" => &mut self.multi_step,
            "questionComplexity" => &mut self.questions,
            _ => return None,
        })
    }
}

/// Words in the place of the gateway's own, where there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnWords {
    pub code: Words,
    pub reasoning: Words,
    pub technical: Words,
    pub simple: Words,
    /// Technical terms beside the others.
    pub more_technical: Words,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Scorer {
    pub weights: Weights,
    /// A text of fewer tokens is short (−1), one of more is long (+1); a token is about four characters.
    pub short: f64,
    pub long: f64,
    pub words: OwnWords,
}

impl Default for Scorer {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            short: 15.0,
            long: 400.0,
            words: OwnWords::default(),
        }
    }
}

/// What a text scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// About −0.15 (a greeting) to 1.
    pub value: f64,
    /// Different phrases that ask for reasoning.
    pub reasoning_markers: usize,
    /// Anything has counted.
    pub has_signal: bool,
}

impl Scorer {
    pub fn score(&self, text: &str) -> Score {
        let tokens = text.chars().count() as f64 / 4.0;
        let lower = searched(text);
        let own = |own: &Words, usual: &LazyLock<Words>| match own.is_empty() {
            true => usual.count(&lower),
            false => own.count(&lower),
        };
        let reasoning_markers = own(&self.words.reasoning, &REASONING);
        let weights = &self.weights;
        let signals = [
            (
                weights.tokens,
                if tokens < self.short {
                    -1.0
                } else if tokens > self.long {
                    1.0
                } else {
                    0.0
                },
            ),
            (
                weights.code,
                steps(own(&self.words.code, &CODE), [(2, 1.0), (1, 0.5)]),
            ),
            (
                weights.reasoning,
                steps(reasoning_markers, [(2, 1.0), (1, 0.7)]),
            ),
            (
                weights.technical,
                steps(
                    own(&self.words.technical, &TECHNICAL)
                        + self.words.more_technical.count(&lower),
                    [(4, 1.0), (2, 0.5)],
                ),
            ),
            (
                weights.simple,
                steps(own(&self.words.simple, &SIMPLE), [(1, -1.0), (1, -1.0)]),
            ),
            (
                weights.multi_step,
                if has_steps(&lower) { 0.5 } else { 0.0 },
            ),
            (
                weights.questions,
                if lower.matches('?').count() > 3 {
                    0.5
                } else {
                    0.0
                },
            ),
        ];
        Score {
            value: signals.iter().map(|(weight, signal)| weight * signal).sum(),
            reasoning_markers,
            has_signal: signals.iter().any(|(_, signal)| *signal != 0.0),
        }
    }
}

/// The signal of the first number that is reached.
fn steps(count: usize, steps: [(usize, f64); 2]) -> f64 {
    let mut reached = steps.iter().filter(|(least, _)| count >= *least);
    reached.next().map_or(0.0, |(_, signal)| *signal)
}

/// `first … then`, `step 1`, or a list with the numbers 1 and 2.
fn has_steps(text: &str) -> bool {
    let after = |first: &str, then: &str| {
        let at = text.find(first);
        at.is_some_and(|at| text[at + first.len()..].contains(then))
    };
    let numbered = |number: &str| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| {
            line.strip_prefix(number)
                .is_some_and(|rest| rest.starts_with(['.', ')']))
        })
    };
    after("first", "then") || after("step 1", "") || (numbered("1") && numbered("2"))
}

macro_rules! words {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Words> = LazyLock::new(|| Words::of($text.split(',')));
    };
}

words!(
    CODE,
    "function,class,method,def,const,let,var,struct,enum,interface,import,export,return,async,await,try,catch,exception,\
     stack trace,traceback,compile,compiler,debug,bug,unit test,api,endpoint,request,response,database,sql,query,schema,regex,\
     algorithm,implement,refactor,optimize,python,javascript,typescript,java,kotlin,swift,rust,golang,c++,bash,html,css,react,\
     node,docker,kubernetes,git,commit,merge,branch,pull request,script,code,```"
);
words!(
    REASONING,
    "step by step,think through,let's think,think carefully,reason through,reason about,explain your reasoning,show your work,\
     chain of thought,break down,break it down,analyze,analyse,evaluate,pros and cons,compare and contrast,trade-offs,tradeoffs,\
     weigh the options,consider all,prove,proof,derive,deduce,infer,logical,root cause"
);
words!(
    TECHNICAL,
    "architecture,distributed,scalable,scalability,microservice,microservices,machine learning,neural network,deep learning,\
     encryption,authentication,authorization,performance,latency,throughput,benchmark,concurrency,parallel,threading,deadlock,\
     race condition,memory,cpu,gpu,optimization,protocol,tcp,http,grpc,websocket,container,orchestration,consensus,replication,\
     sharding,cache,load balancer,transaction,kernel,compiler,cryptography,eigenvalue,integral,theorem,complexity"
);
words!(
    SIMPLE,
    "what is,what's,define,definition of,who is,who was,when did,when was,where is,where was,how many,how much,how old,\
     yes or no,true or false,translate,spell,capital of,simple,brief,briefly,short,quick,hello,hi,hey,thanks,thank you,goodbye,\
     bye,good morning,okay"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn figures_of_the_usual_weights() {
        let scorer = Scorer::default();
        let value = |text: &str| (scorer.score(text).value * 1000.0).round() / 1000.0;
        for (text, expected) in [
            // Short, and simple.
            ("hi", -0.15),
            // Short.
            ("What now then", -0.1),
            (
                "Tell me something nice about the weather in autumn, would you please do so",
                0.0,
            ),
            // Code once, then twice; long enough to be neither short nor long.
            (
                "Please have a look at this python of mine, it does not do what I want it to",
                0.15,
            ),
            (
                "Please have a look at this python function, it does not do what I want it to",
                0.3,
            ),
            (
                "Please walk me through this puzzle step by step, I would like to see all of it",
                0.175,
            ),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(
            scorer
                .score("think through this step by step")
                .reasoning_markers,
            2
        );
        assert!(value(&"word ".repeat(400)) > 0.09);
        assert!(has_steps("first do this, then that") && has_steps("1. a\n2) b"));
        assert!(!has_steps("then first") && !has_steps("1. a\n3. b"));
    }

    proptest! {
        /// Whatever is written, a score stays within the sum of the weights.
        #[test]
        fn scores_are_bounded(text in "\\PC{0,400}") {
            let scored = Scorer::default().score(&text);
            prop_assert!((-0.16..=1.0).contains(&scored.value), "{scored:?}");
        }

        /// More of what is difficult never makes a text easier.
        #[test]
        fn difficult_words_never_make_it_easier(text in "[a-z ]{60,200}", more in 0usize..4) {
            let added = ["step by step", "prove", "refactor the database", "consensus and latency"];
            let scorer = Scorer::default();
            let longer = format!("{text} {}", added[more]);
            prop_assert!(scorer.score(&longer).value >= scorer.score(&text).value - 1e-9);
        }
    }
}
