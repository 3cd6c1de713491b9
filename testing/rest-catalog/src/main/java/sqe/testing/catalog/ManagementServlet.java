package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.exceptions.ForbiddenException;
import org.apache.iceberg.exceptions.NotFoundException;
import org.apache.iceberg.rest.RESTUtil;

/**
 * The part of Polaris' management API that principals, roles and grants need.
 *
 * <p>Only who has the role of the service's administrators may use it.
 */
final class ManagementServlet extends HttpServlet {

  static final String ROOT = "/api/management/v1/";

  private final transient Directory directory;
  private final transient Warehouses warehouses;

  ManagementServlet(Directory directory, Warehouses warehouses) {
    this.directory = directory;
    this.warehouses = warehouses;
  }

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    Errors.answering(response, () -> answer(request).send(response));
  }

  private Answer answer(HttpServletRequest request) throws IOException {
    String[] path = request.getRequestURI().substring(ROOT.length()).split("/");
    for (int i = 0; i < path.length; i++) {
      path[i] = RESTUtil.decodeString(path[i]);
    }
    String endpoint = request.getMethod() + " " + shape(path);
    Caller caller = (Caller) request.getAttribute(Caller.ATTRIBUTE);
    if (!caller.roles().contains(Directory.SERVICE_ADMIN)) {
      throw new ForbiddenException(
          "Principal '%s' may not do %s of the management API", caller.principal(), endpoint);
    }
    ObjectNode body = Json.parse(request.getInputStream().readAllBytes());
    if (endpoint.contains("catalogs/{}/")) {
      Warehouse warehouse = warehouses.get(path[1]);
      return new CatalogRoles(warehouse).answer(endpoint, path, body);
    }
    return endpoint.contains(" catalogs")
        ? catalogs(endpoint, path, body)
        : principals(endpoint, path, body);
  }

  /** The path with {@code {}} for each name in it. */
  private static String shape(String[] path) {
    String[] shape = path.clone();
    for (int i = 0; i < shape.length; i++) {
      if (i % 2 == 1 || (i == 4 && path[0].equals("principal-roles"))) {
        shape[i] = "{}";
      }
    }
    return String.join("/", shape);
  }

  private Answer catalogs(String endpoint, String[] path, ObjectNode body) throws IOException {
    switch (endpoint) {
      case "GET catalogs" -> {
        ObjectNode answer = Json.object();
        ArrayNode list = answer.putArray("catalogs");
        warehouses.all().forEach(warehouse -> list.add(warehouse.description()));
        return Answer.of(200, answer);
      }
      case "POST catalogs" -> {
        if (body.path("catalog") instanceof ObjectNode catalog) {
          return Answer.of(201, warehouses.create(catalog).description());
        }
        throw new BadRequestException("the body must have a catalog");
      }
      case "GET catalogs/{}" -> {
        return Answer.of(200, warehouses.get(path[1]).description());
      }
      case "DELETE catalogs/{}" -> {
        warehouses.drop(path[1]);
        return empty(204);
      }
      default -> throw unknown(endpoint);
    }
  }

  private Answer principals(String endpoint, String[] path, ObjectNode body) {
    switch (endpoint) {
      case "GET principals" -> {
        return names("principals", directory.principals());
      }
      case "POST principals" -> {
        return create(nameIn(body, "principal"));
      }
      case "GET principals/{}" -> {
        return Answer.of(200, principal(path[1]));
      }
      case "DELETE principals/{}" -> {
        principal(path[1]);
        directory.drop(path[1]);
        return empty(204);
      }
      case "GET principals/{}/principal-roles" -> {
        principal(path[1]);
        return names("roles", directory.rolesOf(path[1]));
      }
      case "PUT principals/{}/principal-roles" -> {
        principal(path[1]);
        directory.assign(path[1], role(nameIn(body, "principalRole")));
        return empty(201);
      }
      case "DELETE principals/{}/principal-roles/{}" -> {
        principal(path[1]);
        directory.unassign(path[1], role(path[3]));
        return empty(204);
      }
      default -> {
        return roles(endpoint, path, body);
      }
    }
  }

  private Answer roles(String endpoint, String[] path, ObjectNode body) {
    switch (endpoint) {
      case "GET principal-roles" -> {
        return names("roles", directory.roles());
      }
      case "POST principal-roles" -> {
        String role = nameIn(body, "principalRole");
        if (!directory.createRole(role)) {
          throw new AlreadyExistsException("principal role %s exists already", role);
        }
        return Answer.of(201, Json.object().put("name", role));
      }
      case "DELETE principal-roles/{}" -> {
        directory.dropRole(role(path[1]));
        return empty(204);
      }
      case "GET principal-roles/{}/catalog-roles/{}" -> {
        Grants grants = warehouses.get(path[3]).grants();
        return names("roles", grants.heldBy(Set.of(role(path[1]))));
      }
      case "PUT principal-roles/{}/catalog-roles/{}" -> {
        CatalogRoles catalogRoles = new CatalogRoles(warehouses.get(path[3]));
        catalogRoles.assign(nameIn(body, "catalogRole"), role(path[1]));
        return empty(201);
      }
      case "DELETE principal-roles/{}/catalog-roles/{}/{}" -> {
        new CatalogRoles(warehouses.get(path[3])).unassign(path[4], role(path[1]));
        return empty(204);
      }
      default -> throw unknown(endpoint);
    }
  }

  private Answer create(String name) {
    Directory.Credentials made =
        directory
            .create(name)
            .orElseThrow(() -> new AlreadyExistsException("principal %s exists already", name));
    ObjectNode answer = Json.object();
    answer.set("principal", principal(name));
    answer
        .putObject("credentials")
        .put("clientId", made.clientId())
        .put("clientSecret", made.clientSecret());
    return Answer.of(201, answer);
  }

  private ObjectNode principal(String name) {
    if (!directory.exists(name)) {
      throw new NotFoundException("principal %s does not exist", name);
    }
    return Json.object().put("name", name).put("clientId", directory.clientId(name));
  }

  private String role(String role) {
    if (!directory.roleExists(role)) {
      throw new NotFoundException("principal role %s does not exist", role);
    }
    return role;
  }

  /** {@code name} of the object that {@code body} has under {@code field}. */
  static String nameIn(ObjectNode body, String field) {
    JsonNode name = body.path(field).path("name");
    if (name.asText().isEmpty()) {
      throw new BadRequestException("the body must have %s.name", field);
    }
    return name.asText();
  }

  static Answer names(String field, Collection<String> names) {
    ObjectNode answer = Json.object();
    ArrayNode list = answer.putArray(field);
    List.copyOf(names).stream().sorted().forEach(name -> list.addObject().put("name", name));
    return Answer.of(200, answer);
  }

  static Answer empty(int status) {
    return Answer.of(status, Json.object());
  }

  static NotFoundException unknown(String endpoint) {
    return new NotFoundException("no such endpoint of the management API: %s", endpoint);
  }
}
