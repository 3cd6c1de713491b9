package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.exceptions.NoSuchNamespaceException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.exceptions.NoSuchViewException;

/**
 * Decides whether a caller may do what a request asks for.
 *
 * <p>What does not exist is told to everybody: existence is looked at first, as Polaris does it.
 */
final class Authorization {

  /** What the answer may carry beside the table: no keys, keys to read, keys to write. */
  enum Keys {
    NONE,
    READ,
    WRITE
  }

  private final MemoryCatalog catalog;
  private final Grants grants;
  private final Caller caller;

  Authorization(Warehouse warehouse, Caller caller) {
    this.catalog = warehouse.catalog();
    this.grants = warehouse.grants();
    this.caller = caller;
  }

  Keys check(Request request) {
    switch (request.call()) {
      case LIST_NAMESPACES -> inNamespace(request, Operation.LIST_NAMESPACES);
      case CREATE_NAMESPACE -> createNamespace(request);
      case LOAD_NAMESPACE -> inNamespace(request, Operation.LOAD_NAMESPACE_METADATA);
      case NAMESPACE_EXISTS -> inNamespace(request, Operation.NAMESPACE_EXISTS);
      case DROP_NAMESPACE -> inNamespace(request, Operation.DROP_NAMESPACE);
      case UPDATE_NAMESPACE -> inNamespace(request, Operation.UPDATE_NAMESPACE_PROPERTIES);
      case LIST_TABLES -> inNamespace(request, Operation.LIST_TABLES);
      case CREATE_TABLE -> {
        return createTable(request);
      }
      case REGISTER_TABLE -> inNamespace(request, Operation.REGISTER_TABLE);
      case LOAD_TABLE -> {
        return loadTable(request, request.delegated());
      }
      case LOAD_CREDENTIALS -> {
        return loadTable(request, true);
      }
      case TABLE_EXISTS -> onTable(request.table(), Operation.TABLE_EXISTS);
      case UPDATE_TABLE -> updateTable(request);
      case DROP_TABLE ->
          onTable(
              request.table(),
              request.flag("purgeRequested")
                  ? Operation.DROP_TABLE_WITH_PURGE
                  : Operation.DROP_TABLE_WITHOUT_PURGE);
      case REPORT_METRICS ->
          onTable(
              request.table(),
              request.body().path("report-type").asText().equals("commit-report")
                  ? Operation.REPORT_WRITE_METRICS
                  : Operation.REPORT_READ_METRICS);
      case RENAME_TABLE -> rename(request, Operation.RENAME_TABLE);
      case COMMIT_TRANSACTION -> request.body().path("table-changes").forEach(this::transaction);
      case LIST_VIEWS -> inNamespace(request, Operation.LIST_VIEWS);
      case CREATE_VIEW -> inNamespace(request, Operation.CREATE_VIEW);
      case LOAD_VIEW -> onView(request.table(), Operation.LOAD_VIEW);
      case VIEW_EXISTS -> onView(request.table(), Operation.VIEW_EXISTS);
      case REPLACE_VIEW -> onView(request.table(), Operation.REPLACE_VIEW);
      case DROP_VIEW -> onView(request.table(), Operation.DROP_VIEW);
      case RENAME_VIEW -> rename(request, Operation.RENAME_VIEW);
    }
    return Keys.NONE;
  }

  private void inNamespace(Request request, Operation operation) {
    exists(request.namespace());
    grants.require(caller, operation, Securable.of(request.namespace()));
  }

  private void createNamespace(Request request) {
    Namespace namespace = Request.namespace(request.body().path("namespace"));
    if (namespace.isEmpty()) {
      throw new BadRequestException("a namespace needs a name");
    }
    Namespace parent = Namespace.of(Arrays.copyOf(namespace.levels(), namespace.length() - 1));
    exists(parent);
    grants.require(caller, Operation.CREATE_NAMESPACE, Securable.of(parent));
  }

  private Keys createTable(Request request) {
    boolean staged = request.body().path("stage-create").asBoolean();
    if (request.delegated()) {
      inNamespace(
          request,
          staged
              ? Operation.CREATE_TABLE_STAGED_WITH_WRITE_DELEGATION
              : Operation.CREATE_TABLE_DIRECT_WITH_WRITE_DELEGATION);
      return Keys.WRITE;
    }
    inNamespace(request, staged ? Operation.CREATE_TABLE_STAGED : Operation.CREATE_TABLE_DIRECT);
    return Keys.NONE;
  }

  /** Who may write gets keys to write, else who may read gets keys to read. */
  private Keys loadTable(Request request, boolean delegated) {
    if (!delegated) {
      onTable(request.table(), Operation.LOAD_TABLE);
      return Keys.NONE;
    }
    tableExists(request.table());
    Securable table = Securable.table(request.table());
    if (grants.allows(caller, Operation.LOAD_TABLE_WITH_WRITE_DELEGATION, table)) {
      return Keys.WRITE;
    }
    grants.require(caller, Operation.LOAD_TABLE_WITH_READ_DELEGATION, table);
    return Keys.READ;
  }

  private void updateTable(Request request) {
    if (Request.creates(request.body())) {
      inNamespace(request, Operation.UPDATE_TABLE_FOR_STAGED_CREATE);
    } else {
      onTable(request.table(), Operation.UPDATE_TABLE);
    }
  }

  private void transaction(JsonNode change) {
    TableIdentifier table = Request.identifier(change, "identifier");
    if (Request.creates(change)) {
      throw new BadRequestException("a transaction cannot create table %s", table);
    }
    onTable(table, Operation.COMMIT_TRANSACTION);
  }

  private void rename(Request request, Operation operation) {
    TableIdentifier from = Request.identifier(request.body(), "source");
    TableIdentifier to = Request.identifier(request.body(), "destination");
    boolean view = operation == Operation.RENAME_VIEW;
    if (view) {
      viewExists(from);
    } else {
      tableExists(from);
    }
    exists(to.namespace());
    if (catalog.tableExists(to) || catalog.viewExists(to)) {
      throw new AlreadyExistsException("%s exists already", to);
    }
    grants.require(
        caller,
        operation,
        view ? Securable.view(from) : Securable.table(from),
        Securable.of(to.namespace()));
  }

  private void onTable(TableIdentifier table, Operation operation) {
    tableExists(table);
    grants.require(caller, operation, Securable.table(table));
  }

  private void onView(TableIdentifier view, Operation operation) {
    viewExists(view);
    grants.require(caller, operation, Securable.view(view));
  }

  private void exists(Namespace namespace) {
    if (!namespace.isEmpty() && !catalog.namespaceExists(namespace)) {
      throw new NoSuchNamespaceException("Namespace does not exist: %s", namespace);
    }
  }

  private void tableExists(TableIdentifier table) {
    if (!catalog.tableExists(table)) {
      throw new NoSuchTableException("Table does not exist: %s", table);
    }
  }

  private void viewExists(TableIdentifier view) {
    if (!catalog.viewExists(view)) {
      throw new NoSuchViewException("View does not exist: %s", view);
    }
  }
}
