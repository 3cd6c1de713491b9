package sqe.testing.catalog;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The principals, their secrets and their roles. */
final class Directory {

  /** The role that may use the management API. */
  static final String SERVICE_ADMIN = "service_admin";

  /** A principal as it is made; the secret is told once and then only compared. */
  record Credentials(String clientId, String clientSecret) {}

  private record Principal(String clientId, byte[] secret, Set<String> roles) {}

  private final SecureRandom random = new SecureRandom();
  private final Map<String, Principal> principals = new TreeMap<>();
  private final Set<String> roles = new TreeSet<>();

  Directory(String rootId, String rootSecret) {
    roles.add(SERVICE_ADMIN);
    principals.put("root", new Principal(rootId, bytes(rootSecret), new TreeSet<>(roles)));
  }

  /** Empty where a principal of that name exists. */
  synchronized Optional<Credentials> create(String name) {
    if (principals.containsKey(name)) {
      return Optional.empty();
    }
    Credentials made = new Credentials(hex(8), hex(16));
    principals.put(
        name, new Principal(made.clientId(), bytes(made.clientSecret()), new TreeSet<>()));
    return Optional.of(made);
  }

  synchronized boolean drop(String name) {
    return principals.remove(name) != null;
  }

  synchronized boolean exists(String name) {
    return principals.containsKey(name);
  }

  synchronized List<String> principals() {
    return List.copyOf(principals.keySet());
  }

  synchronized String clientId(String name) {
    return principals.get(name).clientId();
  }

  /** The name of the principal whose id and secret these are. */
  synchronized Optional<String> authenticate(String clientId, String secret) {
    return principals.entrySet().stream()
        .filter(entry -> entry.getValue().clientId().equals(clientId))
        .filter(entry -> MessageDigest.isEqual(entry.getValue().secret(), bytes(secret)))
        .map(Map.Entry::getKey)
        .findFirst();
  }

  synchronized boolean createRole(String role) {
    return roles.add(role);
  }

  synchronized boolean dropRole(String role) {
    principals.values().forEach(principal -> principal.roles().remove(role));
    return roles.remove(role);
  }

  synchronized boolean roleExists(String role) {
    return roles.contains(role);
  }

  synchronized List<String> roles() {
    return List.copyOf(roles);
  }

  synchronized Set<String> rolesOf(String name) {
    return Set.copyOf(principals.get(name).roles());
  }

  synchronized void assign(String name, String role) {
    principals.get(name).roles().add(role);
  }

  synchronized void unassign(String name, String role) {
    principals.get(name).roles().remove(role);
  }

  private String hex(int length) {
    byte[] drawn = new byte[length];
    random.nextBytes(drawn);
    return HexFormat.of().formatHex(drawn);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
