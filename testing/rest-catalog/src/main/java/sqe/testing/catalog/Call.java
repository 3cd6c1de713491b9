package sqe.testing.catalog;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.rest.Endpoint;

/**
 * The calls of the REST specification that a warehouse answers, with the paths below its prefix.
 *
 * <p>{@code {namespace}} and {@code {name}} are the two variables of a path.
 */
enum Call {
  LIST_NAMESPACES("GET", "namespaces", Endpoint.V1_LIST_NAMESPACES),
  CREATE_NAMESPACE("POST", "namespaces", Endpoint.V1_CREATE_NAMESPACE),
  LOAD_NAMESPACE("GET", "namespaces/{namespace}", Endpoint.V1_LOAD_NAMESPACE),
  NAMESPACE_EXISTS("HEAD", "namespaces/{namespace}", Endpoint.V1_NAMESPACE_EXISTS),
  DROP_NAMESPACE("DELETE", "namespaces/{namespace}", Endpoint.V1_DELETE_NAMESPACE),
  UPDATE_NAMESPACE("POST", "namespaces/{namespace}/properties", Endpoint.V1_UPDATE_NAMESPACE),

  LIST_TABLES("GET", "namespaces/{namespace}/tables", Endpoint.V1_LIST_TABLES),
  CREATE_TABLE("POST", "namespaces/{namespace}/tables", Endpoint.V1_CREATE_TABLE),
  REGISTER_TABLE("POST", "namespaces/{namespace}/register", Endpoint.V1_REGISTER_TABLE),
  LOAD_TABLE("GET", "namespaces/{namespace}/tables/{name}", Endpoint.V1_LOAD_TABLE),
  TABLE_EXISTS("HEAD", "namespaces/{namespace}/tables/{name}", Endpoint.V1_TABLE_EXISTS),
  UPDATE_TABLE("POST", "namespaces/{namespace}/tables/{name}", Endpoint.V1_UPDATE_TABLE),
  DROP_TABLE("DELETE", "namespaces/{namespace}/tables/{name}", Endpoint.V1_DELETE_TABLE),
  REPORT_METRICS(
      "POST", "namespaces/{namespace}/tables/{name}/metrics", Endpoint.V1_REPORT_METRICS),
  /** Not in the list of endpoints, as Polaris has it: loading a table tells its path. */
  LOAD_CREDENTIALS("GET", "namespaces/{namespace}/tables/{name}/credentials", null),
  RENAME_TABLE("POST", "tables/rename", Endpoint.V1_RENAME_TABLE),
  COMMIT_TRANSACTION("POST", "transactions/commit", Endpoint.V1_COMMIT_TRANSACTION),

  LIST_VIEWS("GET", "namespaces/{namespace}/views", Endpoint.V1_LIST_VIEWS),
  CREATE_VIEW("POST", "namespaces/{namespace}/views", Endpoint.V1_CREATE_VIEW),
  LOAD_VIEW("GET", "namespaces/{namespace}/views/{name}", Endpoint.V1_LOAD_VIEW),
  VIEW_EXISTS("HEAD", "namespaces/{namespace}/views/{name}", Endpoint.V1_VIEW_EXISTS),
  REPLACE_VIEW("POST", "namespaces/{namespace}/views/{name}", Endpoint.V1_UPDATE_VIEW),
  DROP_VIEW("DELETE", "namespaces/{namespace}/views/{name}", Endpoint.V1_DELETE_VIEW),
  RENAME_VIEW("POST", "views/rename", Endpoint.V1_RENAME_VIEW);

  private final String method;
  private final List<String> pattern;
  private final Endpoint endpoint;

  Call(String method, String pattern, Endpoint endpoint) {
    this.method = method;
    this.pattern = List.of(pattern.split("/"));
    this.endpoint = endpoint;
  }

  /** The endpoints that are told to clients. */
  static List<String> endpoints() {
    return Arrays.stream(values())
        .filter(call -> call.endpoint != null)
        .map(call -> call.endpoint.toString())
        .toList();
  }

  /** {@code path}: the segments below the prefix, as they were sent. */
  static Optional<Call> of(String method, List<String> path) {
    return Arrays.stream(values())
        .filter(call -> call.method.equals(method) && call.matches(path))
        .findFirst();
  }

  /** The segment of {@code path} that stands for {@code variable}, if this call has it. */
  Optional<String> variable(String variable, List<String> path) {
    int at = pattern.indexOf("{" + variable + "}");
    return at < 0 ? Optional.empty() : Optional.of(path.get(at));
  }

  private boolean matches(List<String> path) {
    if (path.size() != pattern.size()) {
      return false;
    }
    for (int i = 0; i < path.size(); i++) {
      if (!pattern.get(i).startsWith("{") && !pattern.get(i).equals(path.get(i))) {
        return false;
      }
    }
    return true;
  }
}
