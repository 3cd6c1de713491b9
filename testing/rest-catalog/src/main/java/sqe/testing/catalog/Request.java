package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.exceptions.NotFoundException;
import org.apache.iceberg.rest.RESTUtil;

/**
 * A request to a warehouse, taken apart.
 *
 * @param path the segments below the prefix, as they were sent
 * @param namespace of the path; for a list of namespaces its parameter {@code parent}
 * @param name of the table or view in the path, else empty
 * @param body empty for requests without one
 */
record Request(
    Call call,
    List<String> path,
    Namespace namespace,
    String name,
    ObjectNode body,
    HttpServletRequest http) {

  private static final String SEPARATOR = "%1F";

  static Request of(HttpServletRequest http, List<String> path) throws IOException {
    Call call =
        Call.of(http.getMethod(), path)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no such endpoint: %s %s", http.getMethod(), http.getRequestURI()));
    String parent = http.getParameter("parent");
    Namespace namespace =
        call == Call.LIST_NAMESPACES && parent != null && !parent.isEmpty()
            ? Namespace.of(parent.split("\u001f"))
            : call.variable("namespace", path).map(Request::namespace).orElse(Namespace.empty());
    String name = call.variable("name", path).map(RESTUtil::decodeString).orElse("");
    ObjectNode body = Json.parse(http.getInputStream().readAllBytes());
    return new Request(call, path, namespace, name, body, http);
  }

  private static Namespace namespace(String segment) {
    String[] levels = segment.replace("%1f", SEPARATOR).split(SEPARATOR);
    return Namespace.of(Arrays.stream(levels).map(RESTUtil::decodeString).toArray(String[]::new));
  }

  TableIdentifier table() {
    return TableIdentifier.of(namespace, name);
  }

  /** The table or view that the body names, in the namespace of the path. */
  TableIdentifier created() {
    return TableIdentifier.of(namespace, body.path("name").asText());
  }

  /** The identifier that the body has under {@code field}. */
  static TableIdentifier identifier(JsonNode body, String field) {
    JsonNode id = body.path(field);
    return TableIdentifier.of(namespace(id.path("namespace")), id.path("name").asText());
  }

  static Namespace namespace(JsonNode levels) {
    return Namespace.of(
        StreamSupport.stream(levels.spliterator(), false)
            .map(JsonNode::asText)
            .toArray(String[]::new));
  }

  /** Whether the client asks for keys of the store, the one way of delegation that there is. */
  boolean delegated() {
    String header = http.getHeader("X-Iceberg-Access-Delegation");
    if (header == null || header.isEmpty()) {
      return false;
    }
    if (Arrays.stream(header.split(","))
        .map(String::strip)
        .noneMatch("vended-credentials"::equals)) {
      throw new BadRequestException("access delegation \"%s\" is not supported", header);
    }
    return true;
  }

  boolean flag(String parameter) {
    return Boolean.parseBoolean(http.getParameter(parameter));
  }

  /** Whether {@code change}, an update of a table, makes the table. */
  static boolean creates(JsonNode change) {
    return StreamSupport.stream(change.path("requirements").spliterator(), false)
        .anyMatch(requirement -> requirement.path("type").asText().equals("assert-create"));
  }

  /**
   * The path below {@code /v1/} in a form that has one reading only.
   *
   * <p>The reference implementation also splits namespaces at an encoded dot, which clients of
   * Polaris may use inside a name.
   */
  String canonicalPath() {
    List<String> segments = new ArrayList<>(path);
    if (call.variable("namespace", path).isPresent()) {
      segments.set(1, encode(namespace));
    }
    return String.join("/", segments);
  }

  /** A namespace as it stands in a path. */
  static String encode(Namespace namespace) {
    return Arrays.stream(namespace.levels())
        .map(RESTUtil::encodeString)
        .collect(Collectors.joining(SEPARATOR));
  }
}
