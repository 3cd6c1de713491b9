package sqe.testing.catalog;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.ForbiddenException;

/**
 * Where the tables of a warehouse lie.
 *
 * <p>Keys are vended for a table's location, so a table may lie only below the allowed locations
 * and never in the location of another one. A table that is renamed stays where it is.
 */
final class Locations {

  private static final List<String> PROPERTIES = List.of("write.data.path", "write.metadata.path");

  private final Storage storage;
  private final Map<TableIdentifier, String> tables = new ConcurrentHashMap<>();

  Locations(Storage storage) {
    this.storage = storage;
  }

  /**
   * All that a table writes to.
   *
   * @param location of the table, or null
   * @param property gives the value of a table property, or null
   */
  static Set<String> used(String location, UnaryOperator<String> property) {
    return Stream.concat(Stream.of(location), PROPERTIES.stream().map(property))
        .filter(Objects::nonNull)
        .map(Storage::strip)
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /** Refuses a file or location of table {@code id} outside of the allowed ones. */
  void allowed(TableIdentifier id, String location) {
    if (location.contains("/../")
        || storage.locations().stream().noneMatch(allowed -> within(location, allowed))) {
      throw new ForbiddenException(
          "table %s may not use %s, only what is below %s", id, location, storage.locations());
    }
  }

  boolean is(TableIdentifier id, String location) {
    return Storage.strip(location).equals(tables.get(id));
  }

  /** Refuses a table {@code id} with these locations, if it may not lie there. */
  void check(TableIdentifier id, Set<String> locations) {
    for (String location : locations) {
      allowed(id, location);
      tables.forEach(
          (other, taken) -> {
            if (!other.equals(id) && (within(location, taken) || within(taken, location))) {
              throw new ForbiddenException(
                  "table %s may not lie at %s, where table %s is", id, location, other);
            }
          });
    }
  }

  void put(TableIdentifier id, String location) {
    tables.put(id, Storage.strip(location));
  }

  void dropped(TableIdentifier id) {
    tables.remove(id);
  }

  void renamed(TableIdentifier from, TableIdentifier to) {
    String location = tables.remove(from);
    if (location != null) {
      tables.put(to, location);
    }
  }

  private static boolean within(String location, String other) {
    return location.equals(other) || location.startsWith(other + "/");
  }
}
