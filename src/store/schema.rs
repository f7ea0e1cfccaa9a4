//! The tables as diesel sees them: only types that SQLite and PostgreSQL share.

diesel::table! {
    users (user_id) {
        user_id -> Text,
        user_role -> Nullable<Text>,
        user_alias -> Nullable<Text>,
        user_email -> Nullable<Text>,
        max_budget -> Nullable<BigInt>,
        spend -> BigInt,
        total_spend -> BigInt,
        tpm_limit -> Nullable<BigInt>,
        rpm_limit -> Nullable<BigInt>,
        max_parallel_requests -> Nullable<BigInt>,
        budget_duration -> Nullable<Text>,
        budget_reset_at -> Nullable<BigInt>,
        metadata -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    teams (team_id) {
        team_id -> Text,
        team_alias -> Nullable<Text>,
        blocked -> Bool,
        max_budget -> Nullable<BigInt>,
        spend -> BigInt,
        total_spend -> BigInt,
        tpm_limit -> Nullable<BigInt>,
        rpm_limit -> Nullable<BigInt>,
        max_parallel_requests -> Nullable<BigInt>,
        budget_duration -> Nullable<Text>,
        budget_reset_at -> Nullable<BigInt>,
        metadata -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        router_settings -> Text,
    }
}

diesel::table! {
    keys (token_hash) {
        token_hash -> Text,
        key_name -> Nullable<Text>,
        key_alias -> Nullable<Text>,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        blocked -> Bool,
        expires_at -> Nullable<BigInt>,
        spend -> BigInt,
        total_spend -> BigInt,
        max_budget -> Nullable<BigInt>,
        tpm_limit -> Nullable<BigInt>,
        rpm_limit -> Nullable<BigInt>,
        max_parallel_requests -> Nullable<BigInt>,
        budget_duration -> Nullable<Text>,
        budget_reset_at -> Nullable<BigInt>,
        metadata -> Text,
        permissions -> Text,
        aliases -> Text,
        config -> Text,
        created_at -> BigInt,
        created_by -> Nullable<Text>,
        updated_at -> BigInt,
        updated_by -> Nullable<Text>,
        last_active_at -> Nullable<BigInt>,
        soft_budget -> Nullable<BigInt>,
        key_type -> Nullable<Text>,
        allowed_routes -> Text,
        rotation_count -> BigInt,
        last_rotation_at -> Nullable<BigInt>,
        router_settings -> Text,
    }
}

diesel::table! {
    retired_keys (old_hash) {
        old_hash -> Text,
        token_hash -> Text,
        revoke_at -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    deleted_keys (id) {
        id -> Text,
        token_hash -> Text,
        key_alias -> Nullable<Text>,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        document -> Text,
        deleted_at -> BigInt,
        deleted_by -> Nullable<Text>,
        deleted_by_key -> Nullable<Text>,
    }
}

diesel::table! {
    model_grants (owner_type, owner_id, model) {
        owner_type -> SmallInt,
        owner_id -> Text,
        model -> Text,
        position -> Integer,
    }
}

diesel::table! {
    spend_names (id) {
        id -> Integer,
        kind -> SmallInt,
        text -> Text,
    }
}

diesel::table! {
    spend_logs (ledger_id) {
        ledger_id -> Binary,
        started_at -> BigInt,
        duration_us -> BigInt,
        first_token_us -> Nullable<BigInt>,
        key_ref -> Integer,
        user_ref -> Nullable<Integer>,
        team_ref -> Nullable<Integer>,
        end_user_ref -> Nullable<Integer>,
        call_type_ref -> Integer,
        model_ref -> Integer,
        model_group_ref -> Integer,
        deployment_ref -> Integer,
        provider_ref -> Integer,
        api_base_ref -> Integer,
        status -> SmallInt,
        http_status -> SmallInt,
        error_class_ref -> Nullable<Integer>,
        spend -> BigInt,
        prompt_tokens -> BigInt,
        completion_tokens -> BigInt,
        cache_read_tokens -> Nullable<BigInt>,
        cache_write_tokens -> Nullable<BigInt>,
        reasoning_tokens -> Nullable<BigInt>,
        usage_details -> Nullable<Text>,
        usage_estimated -> Bool,
        request_id -> Text,
        call_id -> Nullable<Text>,
        retries -> SmallInt,
        client_ip_ref -> Nullable<Integer>,
        user_agent_ref -> Nullable<Integer>,
        labels -> Nullable<Text>,
    }
}

diesel::table! {
    daily_spend (day, key_ref, user_ref, team_ref, model_ref, model_group_ref, provider_ref) {
        day -> Integer,
        key_ref -> Integer,
        user_ref -> Integer,
        team_ref -> Integer,
        model_ref -> Integer,
        model_group_ref -> Integer,
        provider_ref -> Integer,
        requests -> BigInt,
        failed_requests -> BigInt,
        spend -> BigInt,
        prompt_tokens -> BigInt,
        completion_tokens -> BigInt,
        cache_read_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        duration_ms -> BigInt,
    }
}

diesel::table! {
    journal_checkpoints (journal_id) {
        journal_id -> Binary,
        seq -> BigInt,
    }
}

diesel::table! {
    rejected_spend (journal_id, seq) {
        journal_id -> Binary,
        seq -> BigInt,
        ledger_id -> Binary,
        key_hash -> Text,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        started_at -> BigInt,
        spend -> BigInt,
        money_booked -> Bool,
        reason -> Text,
        document -> Text,
    }
}

diesel::table! {
    kept_responses (response_id) {
        response_id -> Binary,
        previous_id -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
        content -> Binary,
    }
}

diesel::table! {
    models (model_id) {
        model_id -> Text,
        model_name -> Text,
        litellm_params -> Text,
        model_info -> Text,
        blocked -> Bool,
        created_at -> BigInt,
        created_by -> Nullable<Text>,
        updated_at -> BigInt,
        updated_by -> Nullable<Text>,
    }
}

diesel::table! {
    health_checks (id) {
        id -> Binary,
        model_id -> Text,
        model_name -> Text,
        model -> Text,
        is_healthy -> Bool,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        rate_limits -> Text,
        took_us -> BigInt,
        by_schedule -> Bool,
        checked_at -> BigInt,
    }
}

diesel::table! {
    health_rounds (name) {
        name -> Text,
        holder -> Text,
        held_until -> BigInt,
        began_at -> BigInt,
    }
}

diesel::table! {
    spend_windows (budget) {
        budget -> Text,
        ends_at -> BigInt,
        spent -> BigInt,
    }
}

diesel::table! {
    route_learning (router, model_group, request_type) {
        router -> Text,
        model_group -> Text,
        request_type -> Text,
        good -> BigInt,
        bad -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(keys, users, teams, retired_keys);
diesel::allow_tables_to_appear_in_same_query!(spend_logs, daily_spend);
