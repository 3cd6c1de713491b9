package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.locks.Lock;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.rest.RESTUtil;

/** One request that is allowed: the reference implementation's answer, with what Polaris adds. */
final class Exchange {

  private final Warehouse warehouse;
  private final Caller caller;
  private final Request request;
  private final Authorization.Keys keys;

  Exchange(Warehouse warehouse, Caller caller, Request request, Authorization.Keys keys) {
    this.warehouse = warehouse;
    this.caller = caller;
    this.request = request;
    this.keys = keys;
  }

  Answer run(HttpServletResponse response) throws IOException {
    if (request.call() == Call.LOAD_CREDENTIALS) {
      return credentials();
    }
    if (request.call() == Call.LIST_NAMESPACES && ambiguous(request.namespace())) {
      return children(request.namespace());
    }
    Bookkeeping books = new Bookkeeping(warehouse, request);
    Answer answer;
    Lock lock =
        request.call() == Call.COMMIT_TRANSACTION
            ? warehouse.writes().writeLock()
            : warehouse.writes().readLock();
    lock.lock();
    try {
      books.before();
      answer = warehouse.reference().call(request, response);
      if (answer.success()) {
        books.after(answer.body());
      }
    } finally {
      lock.unlock();
    }
    return answer.success() ? dressed(answer) : answer;
  }

  private Answer dressed(Answer answer) {
    switch (request.call()) {
      case LOAD_TABLE -> {
        Answer tagged = tagged(answer);
        return unchanged(tagged)
            ? new Answer(304, tagged.headers(), Json.object())
            : vended(tagged);
      }
      case CREATE_TABLE -> {
        return vended(answer.body().hasNonNull("metadata-location") ? tagged(answer) : answer);
      }
      case REGISTER_TABLE -> {
        return tagged(answer);
      }
      default -> {
        return answer;
      }
    }
  }

  /** The tag names the metadata file, and the form in which the client asked for it. */
  private Answer tagged(Answer answer) {
    String form = "refs".equals(request.http().getParameter("snapshots")) ? "refs" : "all";
    String file = answer.body().path("metadata-location").asText();
    UUID tag = UUID.nameUUIDFromBytes((form + file).getBytes(StandardCharsets.UTF_8));
    answer.headers().put("ETag", "W/\"" + tag + "\"");
    return answer;
  }

  private boolean unchanged(Answer tagged) {
    String condition = request.http().getHeader("If-None-Match");
    if (condition == null) {
      return false;
    }
    if (condition.strip().equals("*")) {
      throw new BadRequestException("If-None-Match must name entity tags, not *");
    }
    String tag = tagged.headers().get("ETag");
    return Arrays.stream(condition.split(",")).map(String::strip).anyMatch(tag::equals);
  }

  /** Where the store is, and keys for it if they are asked for. */
  private Answer vended(Answer answer) {
    ObjectNode config = answer.body().withObject("/config");
    warehouse.storage().clientConfig().forEach(config::put);
    if (keys != Authorization.Keys.NONE) {
      JsonNode metadata = answer.body().path("metadata");
      JsonNode properties = metadata.path("properties");
      String location = metadata.path("location").asText();
      TableIdentifier table =
          request.call() == Call.CREATE_TABLE ? request.created() : request.table();
      Map<String, String> made =
          keys(Locations.used(location, name -> properties.path(name).asText(null)));
      made.forEach(config::put);
      config.put("client.refresh-credentials-endpoint", refreshPath(table));
      credential(answer.body(), location, made);
    }
    return answer;
  }

  private Answer credentials() {
    Table table = warehouse.catalog().loadTable(request.table());
    ObjectNode body = Json.object();
    Set<String> locations = Locations.used(table.location(), table.properties()::get);
    credential(body, table.location(), keys(locations));
    return Answer.of(200, body);
  }

  private Map<String, String> keys(Set<String> locations) {
    boolean write = keys == Authorization.Keys.WRITE;
    return warehouse.vending().keys(caller.principal(), locations, write);
  }

  private static void credential(ObjectNode body, String prefix, Map<String, String> keys) {
    ObjectNode credential = body.putArray("storage-credentials").addObject().put("prefix", prefix);
    keys.forEach(credential.putObject("config")::put);
  }

  private String refreshPath(TableIdentifier table) {
    return "v1/%s/namespaces/%s/tables/%s/credentials"
        .formatted(
            RESTUtil.encodeString(warehouse.name()),
            Request.encode(table.namespace()),
            RESTUtil.encodeString(table.name()));
  }

  /** The reference implementation would take a lone name with a dot for two levels. */
  private static boolean ambiguous(Namespace parent) {
    return parent.length() == 1 && parent.level(0).contains(".");
  }

  private Answer children(Namespace parent) {
    ObjectNode body = Json.object();
    ArrayNode list = body.putArray("namespaces");
    for (Namespace child : warehouse.catalog().listNamespaces(parent)) {
      ArrayNode levels = list.addArray();
      Arrays.stream(child.levels()).forEach(levels::add);
    }
    return Answer.of(200, body);
  }
}
