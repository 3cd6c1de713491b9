package sqe.testing.catalog;

import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.exceptions.ForbiddenException;
import org.apache.iceberg.exceptions.NoSuchNamespaceException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.exceptions.NoSuchViewException;
import org.apache.iceberg.exceptions.NotFoundException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns what this program throws into the answer of the REST specification. */
final class Errors {

  private static final Logger LOG = LoggerFactory.getLogger(Errors.class);

  /** What a servlet does; it may throw any of Iceberg's exceptions. */
  interface Action {
    void run() throws IOException;
  }

  private Errors() {}

  static void answering(HttpServletResponse response, Action action) throws IOException {
    try {
      action.run();
    } catch (RuntimeException e) {
      int status = status(e);
      if (status == 500) {
        LOG.error("a request failed", e);
      }
      Json.send(response, status, Json.error(status, e.getClass().getSimpleName(), e.getMessage()));
    }
  }

  private static int status(RuntimeException e) {
    return switch (e) {
      case BadRequestException bad -> 400;
      case IllegalArgumentException bad -> 400;
      case ForbiddenException denied -> 403;
      case NoSuchNamespaceException missing -> 404;
      case NoSuchTableException missing -> 404;
      case NoSuchViewException missing -> 404;
      case NotFoundException missing -> 404;
      case AlreadyExistsException exists -> 409;
      default -> 500;
    };
  }
}
