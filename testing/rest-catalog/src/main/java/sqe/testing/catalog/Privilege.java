package sqe.testing.catalog;

import java.util.List;

/**
 * What can be granted on a catalog, a namespace, a table or a view.
 *
 * <p>A privilege brings others with it: who may write a table's data may read it, too. The names
 * are those of Polaris' management API.
 */
enum Privilege {
  NAMESPACE_LIST,
  NAMESPACE_READ_PROPERTIES(NAMESPACE_LIST),
  NAMESPACE_WRITE_PROPERTIES(NAMESPACE_READ_PROPERTIES),
  NAMESPACE_CREATE(NAMESPACE_LIST),
  NAMESPACE_DROP,
  NAMESPACE_FULL_METADATA(NAMESPACE_CREATE, NAMESPACE_DROP, NAMESPACE_WRITE_PROPERTIES),

  TABLE_LIST,
  TABLE_READ_PROPERTIES(TABLE_LIST),
  TABLE_WRITE_PROPERTIES(TABLE_READ_PROPERTIES),
  TABLE_READ_DATA(TABLE_READ_PROPERTIES),
  TABLE_WRITE_DATA(TABLE_READ_DATA, TABLE_WRITE_PROPERTIES),
  TABLE_CREATE(TABLE_LIST),
  TABLE_DROP,
  TABLE_FULL_METADATA(TABLE_CREATE, TABLE_DROP, TABLE_WRITE_PROPERTIES),

  VIEW_LIST,
  VIEW_READ_PROPERTIES(VIEW_LIST),
  VIEW_WRITE_PROPERTIES(VIEW_READ_PROPERTIES),
  VIEW_CREATE(VIEW_LIST),
  VIEW_DROP,
  VIEW_FULL_METADATA(VIEW_CREATE, VIEW_DROP, VIEW_WRITE_PROPERTIES),

  CATALOG_MANAGE_ACCESS,
  CATALOG_MANAGE_METADATA(NAMESPACE_FULL_METADATA, TABLE_FULL_METADATA, VIEW_FULL_METADATA),
  CATALOG_MANAGE_CONTENT(CATALOG_MANAGE_METADATA, TABLE_WRITE_DATA);

  private final List<Privilege> brings;

  Privilege(Privilege... brings) {
    this.brings = List.of(brings);
  }

  /** Whether who holds this privilege may do what {@code needed} allows. */
  boolean covers(Privilege needed) {
    return this == needed || brings.stream().anyMatch(other -> other.covers(needed));
  }
}
