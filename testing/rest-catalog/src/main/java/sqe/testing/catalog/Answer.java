package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * What a request is answered with.
 *
 * @param body empty for an answer without one
 */
record Answer(int status, Map<String, String> headers, ObjectNode body) {

  static Answer of(int status, ObjectNode body) {
    return new Answer(status, new HashMap<>(), body);
  }

  boolean success() {
    return status / 100 == 2;
  }

  void send(HttpServletResponse response) throws IOException {
    headers.forEach(response::setHeader);
    if (body.isEmpty()) {
      response.setStatus(status);
    } else {
      Json.send(response, status, body);
    }
  }
}
