package sqe.testing.catalog;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.iceberg.exceptions.ForbiddenException;

/**
 * The catalog roles of one warehouse: what is granted to each, and which principal roles hold it.
 *
 * <p>Asked anew in every request, so that a revoke counts from the next one on.
 */
final class Grants {

  record Grant(Securable on, Privilege privilege) {}

  private final Map<String, Set<Grant>> granted = new TreeMap<>();
  private final Map<String, Set<String>> holders = new HashMap<>();

  synchronized boolean create(String role) {
    return granted.putIfAbsent(role, new LinkedHashSet<>()) == null;
  }

  synchronized boolean drop(String role) {
    holders.remove(role);
    return granted.remove(role) != null;
  }

  synchronized boolean exists(String role) {
    return granted.containsKey(role);
  }

  synchronized List<String> roles() {
    return List.copyOf(granted.keySet());
  }

  synchronized List<Grant> of(String role) {
    return List.copyOf(granted.get(role));
  }

  synchronized void grant(String role, Grant grant) {
    granted.get(role).add(grant);
  }

  synchronized void revoke(String role, Grant grant) {
    granted.get(role).remove(grant);
  }

  synchronized void assign(String role, String principalRole) {
    holders.computeIfAbsent(role, unused -> new TreeSet<>()).add(principalRole);
  }

  synchronized void unassign(String role, String principalRole) {
    holders.getOrDefault(role, Set.of()).remove(principalRole);
  }

  /** The catalog roles that come with any of {@code principalRoles}. */
  synchronized List<String> heldBy(Set<String> principalRoles) {
    return granted.keySet().stream()
        .filter(
            role ->
                holders.getOrDefault(role, Set.of()).stream().anyMatch(principalRoles::contains))
        .toList();
  }

  /** Grants belong to the thing, not to its name: they end with it. */
  synchronized void dropped(Securable thing) {
    granted.values().forEach(grants -> grants.removeIf(grant -> grant.on().equals(thing)));
  }

  /** Grants belong to the thing, not to its name: they move with it. */
  synchronized void renamed(Securable from, Securable to) {
    granted.replaceAll(
        (role, grants) ->
            grants.stream()
                .map(grant -> grant.on().equals(from) ? new Grant(to, grant.privilege()) : grant)
                .collect(Collectors.toCollection(LinkedHashSet::new)));
  }

  /** Refuses with the caller's name and the operation, unless the caller may do it. */
  void require(Caller caller, Operation operation, Securable target) {
    if (!allows(caller, operation, target)) {
      throw refusal(caller, operation);
    }
  }

  /** As above, for what also needs privileges on the namespace {@code destination}. */
  void require(Caller caller, Operation operation, Securable target, Securable destination) {
    if (!allows(caller, operation.onTarget(), target)
        || !allows(caller, operation.onDestination(), destination)) {
      throw refusal(caller, operation);
    }
  }

  boolean allows(Caller caller, Operation operation, Securable target) {
    return allows(caller, operation.onTarget(), target);
  }

  private synchronized boolean allows(Caller caller, List<Privilege> needed, Securable target) {
    List<Securable> lineage = target.lineage();
    List<Grant> usable =
        heldBy(caller.roles()).stream()
            .flatMap(role -> granted.get(role).stream())
            .filter(grant -> lineage.contains(grant.on()))
            .toList();
    return needed.stream()
        .allMatch(need -> usable.stream().anyMatch(grant -> grant.privilege().covers(need)));
  }

  private ForbiddenException refusal(Caller caller, Operation operation) {
    return new ForbiddenException(
        "Principal '%s' with roles %s and catalog roles %s may not do %s",
        caller.principal(), new TreeSet<>(caller.roles()), heldBy(caller.roles()), operation);
  }
}
