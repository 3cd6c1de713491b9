package sqe.testing.catalog;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.apache.iceberg.exceptions.BadRequestException;

/** JSON as trees: the program passes on what it does not know. */
final class Json {

  /** Numbers keep every digit. */
  private static final ObjectMapper MAPPER =
      JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();

  private Json() {}

  static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  /** The object of a request's or answer's body; an empty body is an empty object. */
  static ObjectNode parse(byte[] body) {
    try {
      JsonNode node = body.length == 0 ? object() : MAPPER.readTree(body);
      if (node instanceof ObjectNode object) {
        return object;
      }
      throw new BadRequestException("the body must be a JSON object");
    } catch (IOException e) {
      throw new BadRequestException("the body is not JSON");
    }
  }

  static byte[] bytes(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static void send(HttpServletResponse response, int status, JsonNode body) throws IOException {
    response.setStatus(status);
    response.setContentType("application/json");
    response.getOutputStream().write(bytes(body));
  }

  /** The error of the REST specification. */
  static ObjectNode error(int status, String type, String message) {
    ObjectNode answer = object();
    answer.putObject("error").put("message", message).put("type", type).put("code", status);
    return answer;
  }
}
