-- What adaptive routers have learnt from what users said of answers (see src/policy/auto_router/adaptive.rs).

CREATE TABLE route_learning (
    router       TEXT NOT NULL, -- its name
    model_group  TEXT NOT NULL, -- whose answers they were
    request_type TEXT NOT NULL, -- what they were answers to
    good         BIGINT NOT NULL, -- answers that were praised
    bad          BIGINT NOT NULL, -- answers that were not
    PRIMARY KEY (router, model_group, request_type)
);
