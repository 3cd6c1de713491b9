package sqe.testing.catalog;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;

/**
 * A thing on which privileges can be granted: the catalog, a namespace, a table or a view.
 *
 * @param namespace empty for the catalog; the namespace itself, or that of the table or view
 * @param name of the table or view; empty for the others
 */
record Securable(Kind kind, Namespace namespace, String name) {

  enum Kind {
    CATALOG,
    NAMESPACE,
    TABLE,
    VIEW
  }

  static Securable catalog() {
    return new Securable(Kind.CATALOG, Namespace.empty(), "");
  }

  /** The namespace, or the catalog for the empty one. */
  static Securable of(Namespace namespace) {
    return namespace.isEmpty() ? catalog() : new Securable(Kind.NAMESPACE, namespace, "");
  }

  static Securable table(TableIdentifier id) {
    return new Securable(Kind.TABLE, id.namespace(), id.name());
  }

  static Securable view(TableIdentifier id) {
    return new Securable(Kind.VIEW, id.namespace(), id.name());
  }

  /** This thing and all that hold it, up to the catalog: a grant on any of them counts. */
  List<Securable> lineage() {
    List<Securable> lineage = new ArrayList<>();
    if (kind == Kind.TABLE || kind == Kind.VIEW) {
      lineage.add(this);
    }
    for (int levels = namespace.length(); levels > 0; levels--) {
      lineage.add(of(Namespace.of(Arrays.copyOf(namespace.levels(), levels))));
    }
    lineage.add(catalog());
    return lineage;
  }
}
