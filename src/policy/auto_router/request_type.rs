//! What kind of work a request asks for: seven kinds, of which a model may be good at some.

use std::sync::LazyLock;

use super::words::{Words, searched};

/// Kinds and their names are LiteLLM's (1.106.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestType {
    CodeGeneration,
    CodeUnderstanding,
    TechnicalDesign,
    AnalyticalReasoning,
    Writing,
    FactualLookup,
    General,
}

impl RequestType {
    pub const ALL: [Self; 7] = [
        Self::CodeGeneration,
        Self::CodeUnderstanding,
        Self::TechnicalDesign,
        Self::AnalyticalReasoning,
        Self::Writing,
        Self::FactualLookup,
        Self::General,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeGeneration => "code_generation",
            Self::CodeUnderstanding => "code_understanding",
            Self::TechnicalDesign => "technical_design",
            Self::AnalyticalReasoning => "analytical_reasoning",
            Self::Writing => "writing",
            Self::FactualLookup => "factual_lookup",
            Self::General => "general",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind of a text: the one most of whose words it has, of equals the first; general where it has none.
    pub fn of(text: &str) -> Self {
        let lower = searched(text);
        let mut best = (Self::General, 0);
        for (kind, words) in WORDS.iter() {
            let count = words.count(&lower);
            if count > best.1 {
                best = (*kind, count);
            }
        }
        best.0
    }
}

static WORDS: LazyLock<[(RequestType, Words); 6]> = LazyLock::new(|| {
    let of = |kind, text: &str| (kind, Words::of(text.split(',')));
    [
        of(
            RequestType::CodeGeneration,
            "write a function,write a script,write code,write a program,write a test,write tests,implement,code,function,class,\
             script,sql query,regex,unit test,refactor,add a feature,fix the bug,fix this bug,python,typescript,javascript,rust,\
             ```",
        ),
        of(
            RequestType::CodeUnderstanding,
            "explain this code,explain the code,what does this code,what does this function,how does this code,review this code,\
             code review,why does this fail,stack trace,traceback,error message,this error,debug",
        ),
        of(
            RequestType::TechnicalDesign,
            "architecture,design,system design,microservices,scalable,trade-offs,tradeoffs,schema,data model,api design,\
             infrastructure,kubernetes,migration,load balancer",
        ),
        of(
            RequestType::AnalyticalReasoning,
            "analyze,analyse,step by step,compare,evaluate,pros and cons,prove,proof,derive,deduce,calculate,estimate,\
             probability,reason through,root cause,why",
        ),
        of(
            RequestType::Writing,
            "write an email,email,essay,blog post,blog,letter,poem,story,article,summary,summarize,summarise,rewrite,rephrase,\
             proofread,headline,translate,tone",
        ),
        of(
            RequestType::FactualLookup,
            "what is,what's,who is,who was,when did,when was,where is,how many,how much,capital of,define,definition of,\
             which year,population of",
        ),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_texts() {
        for (text, kind) in [
            (
                "Write a function in Python that sorts names",
                RequestType::CodeGeneration,
            ),
            (
                "What does this code do? I get this error message: traceback",
                RequestType::CodeUnderstanding,
            ),
            (
                "Propose an architecture: a scalable data model",
                RequestType::TechnicalDesign,
            ),
            (
                "Compare both offers, pros and cons, and evaluate them",
                RequestType::AnalyticalReasoning,
            ),
            (
                "Rewrite this email in a friendlier tone",
                RequestType::Writing,
            ),
            (
                "Who was the first president, and when was he born?",
                RequestType::FactualLookup,
            ),
            ("ok then", RequestType::General),
            ("", RequestType::General),
        ] {
            assert_eq!(RequestType::of(text), kind, "{text}");
        }
        for kind in RequestType::ALL {
            assert_eq!(RequestType::named(kind.as_str()), Some(kind));
        }
    }
}
