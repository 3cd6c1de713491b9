package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.rest.RESTUtil;

/** The REST catalog: {@code /api/catalog/v1/config} and all below {@code /v1/{prefix}/}. */
final class CatalogServlet extends HttpServlet {

  static final String ROOT = "/api/catalog/v1/";

  /** As long as the reference implementation keeps the outcome of a request with a key. */
  private static final String KEY_LIFETIME = "PT30M";

  private static final String KEY = "Idempotency-Key";

  private final transient Warehouses warehouses;

  /**
   * Requests that have dropped or renamed something, see {@link #key}.
   *
   * <p>When such a request comes again, the thing does not exist any more; the reference
   * implementation knows the first outcome.
   */
  private final transient Set<List<String>> keyed = ConcurrentHashMap.newKeySet();

  CatalogServlet(Warehouses warehouses) {
    this.warehouses = warehouses;
  }

  @Override
  protected void service(HttpServletRequest http, HttpServletResponse response) throws IOException {
    Errors.answering(response, () -> answer(http, response).send(response));
  }

  private Answer answer(HttpServletRequest http, HttpServletResponse response) throws IOException {
    List<String> path = List.of(http.getRequestURI().substring(ROOT.length()).split("/"));
    if (path.equals(List.of("config"))) {
      return config(http.getParameter("warehouse"));
    }
    Warehouse warehouse = warehouses.get(RESTUtil.decodeString(path.getFirst()));
    Request request = Request.of(http, path.subList(1, path.size()));
    Caller caller = (Caller) http.getAttribute(Caller.ATTRIBUTE);
    List<String> key = key(request, caller);
    if (keyed.contains(key)) {
      return warehouse.reference().call(request, response);
    }
    Authorization.Keys keys = new Authorization(warehouse, caller).check(request);
    Answer answer = new Exchange(warehouse, caller, request, keys).run(response);
    if (answer.success() && !key.isEmpty()) {
      keyed.add(key);
    }
    return answer;
  }

  /** Tells a request that drops or renames from others, if the client has given it a key. */
  private static List<String> key(Request request, Caller caller) {
    String key = request.http().getHeader(KEY);
    boolean removes =
        switch (request.call()) {
          case DROP_TABLE, DROP_VIEW, DROP_NAMESPACE, RENAME_TABLE, RENAME_VIEW -> true;
          default -> false;
        };
    return key != null && removes
        ? List.of(key, caller.principal(), request.call().name(), request.http().getRequestURI())
        : List.of();
  }

  private Answer config(String name) {
    if (name == null) {
      throw new BadRequestException("the parameter warehouse is missing");
    }
    Warehouse warehouse = warehouses.get(name);
    ObjectNode body = Json.object();
    body.set("defaults", warehouse.description().path("properties"));
    body.putObject("overrides").put("prefix", RESTUtil.encodeString(name));
    ArrayNode endpoints = body.putArray("endpoints");
    Call.endpoints().forEach(endpoints::add);
    body.put("idempotency-key-lifetime", KEY_LIFETIME);
    return Answer.of(200, body);
  }
}
