package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Locale;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.exceptions.NoSuchNamespaceException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.exceptions.NoSuchViewException;
import org.apache.iceberg.exceptions.NotFoundException;

/** The endpoints of the management API for the roles of one catalog and their grants. */
final class CatalogRoles {

  private final Warehouse warehouse;
  private final Grants grants;

  CatalogRoles(Warehouse warehouse) {
    this.warehouse = warehouse;
    this.grants = warehouse.grants();
  }

  Answer answer(String endpoint, String[] path, ObjectNode body) {
    switch (endpoint) {
      case "GET catalogs/{}/catalog-roles" -> {
        return ManagementServlet.names("roles", grants.roles());
      }
      case "POST catalogs/{}/catalog-roles" -> {
        String role = ManagementServlet.nameIn(body, "catalogRole");
        if (!grants.create(role)) {
          throw new AlreadyExistsException("catalog role %s exists already", role);
        }
        return Answer.of(201, Json.object().put("name", role));
      }
      case "DELETE catalogs/{}/catalog-roles/{}" -> {
        grants.drop(existing(path[3]));
        return ManagementServlet.empty(204);
      }
      case "GET catalogs/{}/catalog-roles/{}/grants" -> {
        ObjectNode answer = Json.object();
        ArrayNode list = answer.putArray("grants");
        grants.of(existing(path[3])).forEach(grant -> list.add(described(grant)));
        return Answer.of(200, answer);
      }
      case "PUT catalogs/{}/catalog-roles/{}/grants" -> {
        grants.grant(existing(path[3]), grant(body.path("grant")));
        return ManagementServlet.empty(201);
      }
      // It is a POST that takes a grant away.
      case "POST catalogs/{}/catalog-roles/{}/grants" -> {
        grants.revoke(existing(path[3]), grant(body.path("grant")));
        return ManagementServlet.empty(201);
      }
      default -> throw ManagementServlet.unknown(endpoint);
    }
  }

  void assign(String role, String principalRole) {
    grants.assign(existing(role), principalRole);
  }

  void unassign(String role, String principalRole) {
    grants.unassign(existing(role), principalRole);
  }

  private String existing(String role) {
    if (!grants.exists(role)) {
      throw new NotFoundException("catalog role %s does not exist", role);
    }
    return role;
  }

  /** Grants are only for what exists. */
  private Grants.Grant grant(JsonNode grant) {
    Privilege privilege = privilege(grant.path("privilege").asText());
    Namespace namespace = Request.namespace(grant.path("namespace"));
    String type = grant.path("type").asText();
    if (!type.equals("catalog") && !warehouse.catalog().namespaceExists(namespace)) {
      throw new NoSuchNamespaceException("Namespace does not exist: %s", namespace);
    }
    switch (type) {
      case "catalog" -> {
        return new Grants.Grant(Securable.catalog(), privilege);
      }
      case "namespace" -> {
        return new Grants.Grant(Securable.of(namespace), privilege);
      }
      case "table" -> {
        TableIdentifier table = TableIdentifier.of(namespace, grant.path("tableName").asText());
        if (!warehouse.catalog().tableExists(table)) {
          throw new NoSuchTableException("Table does not exist: %s", table);
        }
        return new Grants.Grant(Securable.table(table), privilege);
      }
      case "view" -> {
        TableIdentifier view = TableIdentifier.of(namespace, grant.path("viewName").asText());
        if (!warehouse.catalog().viewExists(view)) {
          throw new NoSuchViewException("View does not exist: %s", view);
        }
        return new Grants.Grant(Securable.view(view), privilege);
      }
      default -> throw new BadRequestException("a grant cannot be of type \"%s\"", type);
    }
  }

  private static Privilege privilege(String name) {
    return Arrays.stream(Privilege.values())
        .filter(privilege -> privilege.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new BadRequestException("there is no privilege \"%s\"", name));
  }

  private static ObjectNode described(Grants.Grant grant) {
    Securable on = grant.on();
    ObjectNode described =
        Json.object()
            .put("type", on.kind().name().toLowerCase(Locale.ROOT))
            .put("privilege", grant.privilege().name());
    if (on.kind() != Securable.Kind.CATALOG) {
      ArrayNode levels = described.putArray("namespace");
      Arrays.stream(on.namespace().levels()).forEach(levels::add);
    }
    switch (on.kind()) {
      case TABLE -> described.put("tableName", on.name());
      case VIEW -> described.put("viewName", on.name());
      default -> {}
    }
    return described;
  }
}
