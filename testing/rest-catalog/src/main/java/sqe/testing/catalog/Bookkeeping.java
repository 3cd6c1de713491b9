package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.BadRequestException;

/** Keeps the locations and grants of a warehouse in step with its tables. */
final class Bookkeeping {

  private final Warehouse warehouse;
  private final Locations locations;
  private final Request request;
  private final JsonNode body;

  Bookkeeping(Warehouse warehouse, Request request) {
    this.warehouse = warehouse;
    this.locations = warehouse.locations();
    this.request = request;
    this.body = request.body();
  }

  /** Refuses locations at which the table may not lie. */
  void before() {
    switch (request.call()) {
      case CREATE_TABLE -> {
        TableIdentifier table = request.created();
        String location = body.path("location").asText(warehouse.catalog().defaultLocation(table));
        locations.check(
            table,
            Locations.used(location, name -> body.path("properties").path(name).asText(null)));
      }
      case REGISTER_TABLE -> register();
      case UPDATE_TABLE -> update(request.table(), body);
      case COMMIT_TRANSACTION ->
          body.path("table-changes")
              .forEach(change -> update(Request.identifier(change, "identifier"), change));
      default -> {}
    }
  }

  /** Takes note of what has changed; {@code answer}: the body of the successful answer. */
  void after(JsonNode answer) {
    Grants grants = warehouse.grants();
    switch (request.call()) {
      case CREATE_TABLE, REGISTER_TABLE -> {
        // What is only staged has no metadata file yet.
        if (answer.hasNonNull("metadata-location")) {
          locations.put(request.created(), answer.path("metadata").path("location").asText());
        }
      }
      case UPDATE_TABLE ->
          locations.put(request.table(), answer.path("metadata").path("location").asText());
      case DROP_TABLE -> {
        locations.dropped(request.table());
        grants.dropped(Securable.table(request.table()));
      }
      case RENAME_TABLE -> {
        locations.renamed(source(), destination());
        grants.renamed(Securable.table(source()), Securable.table(destination()));
      }
      case DROP_VIEW -> grants.dropped(Securable.view(request.table()));
      case RENAME_VIEW -> grants.renamed(Securable.view(source()), Securable.view(destination()));
      case DROP_NAMESPACE -> grants.dropped(Securable.of(request.namespace()));
      default -> {}
    }
  }

  /** The file is read only if it may be, and says where the table lies. */
  private void register() {
    TableIdentifier table = request.created();
    String file = body.path("metadata-location").asText();
    locations.allowed(table, file);
    TableMetadata metadata = warehouse.catalog().read(file);
    locations.check(table, Locations.used(metadata.location(), metadata.properties()::get));
  }

  private void update(TableIdentifier table, JsonNode change) {
    Set<String> named = new LinkedHashSet<>();
    for (JsonNode update : change.path("updates")) {
      if (update.path("action").asText().equals("set-location")) {
        String location = update.path("location").asText();
        if (request.call() == Call.COMMIT_TRANSACTION && !locations.is(table, location)) {
          throw new BadRequestException("a transaction cannot move table %s", table);
        }
        named.add(Storage.strip(location));
      }
      named.addAll(Locations.used(null, name -> update.path("updates").path(name).asText(null)));
    }
    locations.check(table, named);
  }

  private TableIdentifier source() {
    return Request.identifier(body, "source");
  }

  private TableIdentifier destination() {
    return Request.identifier(body, "destination");
  }
}
