package sqe.testing.catalog;

import java.io.IOException;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableMetadataParser;
import org.apache.iceberg.aws.s3.S3FileIO;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.NoSuchNamespaceException;
import org.apache.iceberg.inmemory.InMemoryCatalog;
import org.apache.iceberg.io.FileIO;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * Iceberg's catalog in memory, with its metadata files in the store.
 *
 * <p>Three things differ. The files, which the base class would keep in memory, too. Namespaces,
 * which it compares by names joined with dots, so that one with a dot in its name would be taken
 * for two levels. And the existence of a table, for which it would read the metadata file.
 */
final class MemoryCatalog extends InMemoryCatalog {

  private final Set<Namespace> known = ConcurrentHashMap.newKeySet();
  private S3FileIO files;

  /** A catalog whose default locations begin with {@code base}. */
  static MemoryCatalog create(String name, String base, S3Client store) {
    MemoryCatalog catalog = new MemoryCatalog();
    catalog.initialize(name, Map.of("warehouse", base));
    catalog.files = new S3FileIO(() -> store);
    catalog.use(catalog.files);
    return catalog;
  }

  /** The base class has no setting for this. */
  private void use(FileIO files) {
    try {
      Field io = InMemoryCatalog.class.getDeclaredField("io");
      io.setAccessible(true);
      io.set(this, files);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() throws IOException {
    super.close();
    files.close();
  }

  /** The metadata in the file {@code location}. */
  TableMetadata read(String location) {
    return TableMetadataParser.read(files.newInputFile(location));
  }

  String defaultLocation(TableIdentifier id) {
    return defaultWarehouseLocation(id);
  }

  @Override
  public boolean tableExists(TableIdentifier id) {
    return namespaceExists(id.namespace()) && listTables(id.namespace()).contains(id);
  }

  @Override
  public boolean viewExists(TableIdentifier id) {
    return namespaceExists(id.namespace()) && listViews(id.namespace()).contains(id);
  }

  @Override
  public void createNamespace(Namespace namespace, Map<String, String> metadata) {
    super.createNamespace(namespace, metadata);
    known.add(namespace);
  }

  @Override
  public boolean dropNamespace(Namespace namespace) {
    boolean dropped = super.dropNamespace(namespace);
    if (dropped) {
      known.remove(namespace);
    }
    return dropped;
  }

  @Override
  public List<Namespace> listNamespaces() {
    return listNamespaces(Namespace.empty());
  }

  @Override
  public List<Namespace> listNamespaces(Namespace parent) {
    if (!parent.isEmpty() && !namespaceExists(parent)) {
      throw new NoSuchNamespaceException("Namespace does not exist: %s", parent);
    }
    return known.stream()
        .filter(namespace -> namespace.length() == parent.length() + 1)
        .filter(
            namespace ->
                Arrays.equals(Arrays.copyOf(namespace.levels(), parent.length()), parent.levels()))
        .sorted((left, right) -> Arrays.compare(left.levels(), right.levels()))
        .toList();
  }
}
