package sqe.testing.catalog;

import static sqe.testing.catalog.Privilege.*;

import java.util.List;

/**
 * What a caller can ask for, and the privileges it takes on the target.
 *
 * <p>A refusal names the operation, by the names of Polaris.
 */
enum Operation {
  LIST_NAMESPACES(NAMESPACE_LIST),
  CREATE_NAMESPACE(NAMESPACE_CREATE),
  LOAD_NAMESPACE_METADATA(NAMESPACE_READ_PROPERTIES),
  NAMESPACE_EXISTS(NAMESPACE_LIST),
  DROP_NAMESPACE(NAMESPACE_DROP),
  UPDATE_NAMESPACE_PROPERTIES(NAMESPACE_WRITE_PROPERTIES),

  LIST_TABLES(TABLE_LIST),
  CREATE_TABLE_DIRECT(TABLE_CREATE),
  CREATE_TABLE_DIRECT_WITH_WRITE_DELEGATION(TABLE_CREATE, TABLE_WRITE_DATA),
  CREATE_TABLE_STAGED(TABLE_CREATE),
  CREATE_TABLE_STAGED_WITH_WRITE_DELEGATION(TABLE_CREATE, TABLE_WRITE_DATA),
  REGISTER_TABLE(TABLE_CREATE),
  LOAD_TABLE(TABLE_READ_PROPERTIES),
  LOAD_TABLE_WITH_READ_DELEGATION(TABLE_READ_DATA),
  LOAD_TABLE_WITH_WRITE_DELEGATION(TABLE_WRITE_DATA),
  TABLE_EXISTS(TABLE_LIST),
  UPDATE_TABLE(TABLE_WRITE_PROPERTIES),
  UPDATE_TABLE_FOR_STAGED_CREATE(TABLE_CREATE),
  DROP_TABLE_WITHOUT_PURGE(TABLE_DROP),
  DROP_TABLE_WITH_PURGE(TABLE_DROP, TABLE_WRITE_DATA),
  COMMIT_TRANSACTION(TABLE_WRITE_PROPERTIES, TABLE_CREATE),
  REPORT_READ_METRICS(TABLE_READ_DATA),
  REPORT_WRITE_METRICS(TABLE_WRITE_DATA),
  RENAME_TABLE(List.of(TABLE_DROP), List.of(TABLE_LIST, TABLE_CREATE)),

  LIST_VIEWS(VIEW_LIST),
  CREATE_VIEW(Privilege.VIEW_CREATE),
  LOAD_VIEW(VIEW_READ_PROPERTIES),
  VIEW_EXISTS(VIEW_LIST),
  REPLACE_VIEW(VIEW_WRITE_PROPERTIES),
  DROP_VIEW(Privilege.VIEW_DROP),
  RENAME_VIEW(List.of(Privilege.VIEW_DROP), List.of(VIEW_LIST, Privilege.VIEW_CREATE));

  private final List<Privilege> onTarget;
  private final List<Privilege> onDestination;

  Operation(Privilege... onTarget) {
    this(List.of(onTarget), List.of());
  }

  Operation(List<Privilege> onTarget, List<Privilege> onDestination) {
    this.onTarget = onTarget;
    this.onDestination = onDestination;
  }

  /** The privileges it takes on the thing itself, or on the namespace in which it is made. */
  List<Privilege> onTarget() {
    return onTarget;
  }

  /** The privileges it takes on the namespace to which a table or view is renamed. */
  List<Privilege> onDestination() {
    return onDestination;
  }
}
