//! The one table of cases, and which servers they hold on.

/// The table. Calls `$with!` with all cases: `both` hold on both servers, `embedded` only on the embedded one:
/// garbage collection needs a controller manager, which does not stand beside the real API server here; and refusals are
/// the embedded server's own.
#[macro_export]
macro_rules! conformance_cases {
    ($with:ident) => {
        $with! {
            both {
                objects {
                    create_fills_in_the_metadata
                    create_counts_generations_where_there_is_a_status
                    create_twice_is_refused
                    what_is_absent_is_not_found
                    a_kind_that_nobody_serves_is_not_found
                    generate_name_appends_five_characters
                    a_name_is_required
                    create_refuses_a_resource_version
                    create_needs_the_namespace
                    the_body_must_agree_with_the_path
                    a_body_that_is_no_json_is_refused
                    replace_needs_the_current_version
                    replace_without_version_depends_on_the_kind
                    replace_of_what_is_absent
                    a_deleted_lease_comes_back_unless_the_uid_is_sent
                    replace_of_another_uid_is_a_conflict
                    replace_with_the_same_changes_nothing
                    of_many_replacements_of_one_version_one_wins
                    dry_run_leaves_nothing
                }
                deleting {
                    the_answer_names_what_went
                    a_pod_that_nobody_runs_goes_at_once
                    uid_and_version_are_preconditions
                    a_finalizer_keeps_the_object_until_it_is_removed
                    a_name_can_be_used_again_with_another_uid
                    a_collection_goes_by_its_labels
                }
                listing {
                    a_list_has_a_kind_and_a_version
                    labels_select
                    fields_select
                    pages_hold_everything_once
                    any_version_may_be_asked_for
                    all_namespaces_at_once
                    cluster_scoped_kinds_have_no_namespace
                }
                lease_rules {
                    a_duration_is_positive
                    transitions_do_not_go_below_zero
                    a_holder_may_be_empty_or_absent
                    patches_are_held_to_the_same_rules
                    times_have_six_digits_after_the_second
                    a_field_of_another_type_is_a_bad_request
                    unknown_fields_are_dropped
                }
                event_rules {
                    a_note_has_at_most_1024_bytes
                    who_tells_what_and_when_is_required
                    what_it_is_about_has_a_namespace
                    only_its_series_changes
                }
                metadata_rules {
                    a_name_is_a_subdomain
                    labels_are_short_and_plain
                    annotations_have_a_total_size
                    annotation_values_may_be_anything
                    an_owner_is_complete
                    labels_and_annotations_are_strings
                    what_the_server_sets_cannot_be_changed
                }
                patching {
                    merge_adds_changes_and_removes
                    merge_replaces_lists_whole
                    merge_has_the_version_as_precondition
                    a_patch_that_changes_nothing_makes_no_version
                    json_patch_goes_step_by_step
                    json_patch_is_all_or_nothing
                    json_patch_replaces_what_is_absent
                    json_patch_can_compare_and_swap
                    a_patch_that_is_none_is_a_bad_request
                    media_types_are_known_or_refused
                    strategic_merge_knows_maps_and_keyed_lists
                }
                applying {
                    creates_and_then_updates
                    the_manager_and_its_fields_are_recorded
                    what_a_manager_stops_applying_goes
                    what_others_own_stays
                    the_value_of_another_is_a_conflict
                    the_same_value_is_owned_together
                    force_takes_the_field_over
                    an_update_takes_fields_from_appliers
                    applying_and_updating_are_two_managers
                    a_version_in_the_body_is_a_precondition
                    a_version_does_not_keep_it_from_creating
                    a_uid_keeps_it_from_creating
                    another_uid_is_refused
                    version_and_uid_of_a_predecessor_are_a_conflict
                    the_request_must_be_complete
                    owners_and_finalizers_are_sets
                    lists_of_a_custom_kind_are_one_value
                    data_is_owned_key_by_key
                    status_is_applied_on_its_own
                    each_applies_only_its_own_part
                }
                statuses {
                    of_custom_kinds
                    of_built_in_kinds
                    a_fresh_object_has_the_first_phase
                    a_backup_has_it_in_the_object
                    a_lease_has_none
                    generation_counts_changes_of_the_spec
                }
                watches {
                    without_a_version_begins_with_what_is_there
                    from_a_version_shows_what_came_after
                    a_write_that_changes_nothing_is_no_event
                    one_object_by_its_name
                    labels_let_objects_in_and_out
                    a_field_lets_pods_in_and_out
                    a_streaming_list_ends_with_a_bookmark
                    a_streaming_list_of_nothing_ends_too
                    a_streaming_list_must_say_how_old
                    bookmarks_come_before_the_end
                    without_asking_there_are_no_bookmarks
                    all_namespaces_at_once
                    every_watcher_sees_the_same_order
                    a_forgotten_version_is_expired
                    a_version_that_is_none_is_refused
                    what_nobody_serves_cannot_be_watched
                    a_finalizer_makes_deletion_two_events
                }
                access {
                    an_unknown_token_is_unauthorized
                    health_and_version_are_answered
                    discovery_names_every_kind
                    discovery_names_status_where_it_is
                    kube_discovers_a_kind_by_its_group
                    a_pods_token_says_who_it_is
                }
                runtime {
                    a_reflector_survives_cut_connections
                    a_streaming_reflector_survives_cut_connections
                    one_object_is_watched_from_absence_to_deletion
                    typed_leases_go_both_ways
                    metadata_alone_is_read_and_patched
                    a_recorder_publishes_events
                }
                kubectl {
                    gets_by_name_short_name_and_label
                    labels_and_annotates
                    patches
                    creates_applies_and_deletes
                    applies_on_the_server
                    watches
                }
            }
            embedded {
                garbage {
                    dependents_go_with_their_owner
                    one_living_owner_is_enough
                    an_owner_that_is_gone_already_takes_it_along
                    an_owner_of_the_same_name_is_not_the_owner
                    a_namespace_takes_all_along
                }
                refusals {
                    what_the_fake_cannot_do_is_501
                    formats_it_does_not_speak_are_refused
                }
            }
        }
    };
}
