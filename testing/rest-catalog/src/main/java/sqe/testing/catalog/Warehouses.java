package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.NotFoundException;

/** The warehouses, by name; the name is also the prefix in paths. */
final class Warehouses {

  /** The catalog role that a new catalog has; its holders may manage but not read or write data. */
  static final String CATALOG_ADMIN = "catalog_admin";

  private final Settings settings;
  private final Map<String, Warehouse> warehouses = new TreeMap<>();

  Warehouses(Settings settings) {
    this.settings = settings;
  }

  synchronized Warehouse create(ObjectNode description) {
    String name = Warehouse.name(description);
    if (warehouses.containsKey(name)) {
      throw new AlreadyExistsException("catalog %s exists already", name);
    }
    Warehouse made = new Warehouse(description, settings);
    Grants grants = made.grants();
    grants.create(CATALOG_ADMIN);
    grants.assign(CATALOG_ADMIN, Directory.SERVICE_ADMIN);
    for (Privilege privilege :
        List.of(Privilege.CATALOG_MANAGE_ACCESS, Privilege.CATALOG_MANAGE_METADATA)) {
      grants.grant(CATALOG_ADMIN, new Grants.Grant(Securable.catalog(), privilege));
    }
    warehouses.put(name, made);
    return made;
  }

  synchronized Warehouse get(String name) {
    Warehouse warehouse = warehouses.get(name);
    if (warehouse == null) {
      throw new NotFoundException("catalog %s does not exist", name);
    }
    return warehouse;
  }

  synchronized List<Warehouse> all() {
    return List.copyOf(warehouses.values());
  }

  synchronized void drop(String name) throws IOException {
    MemoryCatalog catalog = get(name).catalog();
    if (!catalog.listNamespaces().isEmpty()) {
      throw new IllegalArgumentException("catalog " + name + " is not empty");
    }
    warehouses.remove(name);
    catalog.close();
  }
}
