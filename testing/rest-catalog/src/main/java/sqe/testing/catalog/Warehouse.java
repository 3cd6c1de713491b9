package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** One catalog of the management API: its tables, its grants, and the store with its files. */
final class Warehouse {

  /** The property of a catalog that tells the life of its vended keys, in seconds. */
  private static final String CREDENTIAL_LIFE = "sqe.test.credential-life";

  private final ObjectNode description;
  private final Storage storage;
  private final MemoryCatalog catalog;
  private final Reference reference;
  private final Grants grants = new Grants();
  private final Locations locations;
  private final Vending vending;
  private final ReadWriteLock writes = new ReentrantReadWriteLock();

  /** {@code description}: the {@code catalog} of a request to create one. */
  Warehouse(ObjectNode description, Settings settings) {
    String base =
        Storage.strip(description.path("properties").path("default-base-location").asText());
    if (name(description).isEmpty() || !base.startsWith("s3://")) {
      throw new IllegalArgumentException("a catalog needs a name and an s3 default-base-location");
    }
    this.description = description.deepCopy();
    this.storage = Storage.of(description.path("storageConfigInfo"), base, settings);
    this.catalog = MemoryCatalog.create(name(description), base, storage.client(settings));
    this.reference = new Reference(catalog);
    this.locations = new Locations(storage);
    this.vending = new Vending(storage.sts(settings), life(settings));
  }

  /**
   * A catalog may have keys of another life than the program's; Polaris ignores such a property.
   */
  private Duration life(Settings settings) {
    long told = description.path("properties").path(CREDENTIAL_LIFE).asLong();
    return told > 0 ? Duration.ofSeconds(told) : settings.credentialLife();
  }

  static String name(ObjectNode description) {
    return description.path("name").asText();
  }

  ObjectNode description() {
    return description.deepCopy();
  }

  String name() {
    return name(description);
  }

  Storage storage() {
    return storage;
  }

  MemoryCatalog catalog() {
    return catalog;
  }

  Reference reference() {
    return reference;
  }

  Grants grants() {
    return grants;
  }

  Locations locations() {
    return locations;
  }

  Vending vending() {
    return vending;
  }

  /**
   * Shared by everything that changes a table, and held alone by a transaction: the reference
   * implementation commits its tables one after the other, and none may change in between.
   */
  ReadWriteLock writes() {
    return writes;
  }
}
