package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;

/** The token endpoint: the client credentials grant of RFC 6749, section 4.4. */
final class TokenServlet extends HttpServlet {

  private record Client(String id, String secret) {}

  private final transient Directory directory;
  private final transient Tokens tokens;

  TokenServlet(Directory directory, Tokens tokens) {
    this.directory = directory;
    this.tokens = tokens;
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    Optional<Client> client = client(request);
    String scope = request.getParameter("scope");
    if (!"client_credentials".equals(request.getParameter("grant_type"))) {
      refuse(response, 400, "unsupported_grant_type", "the grant type must be client_credentials");
    } else if (client.isEmpty()) {
      refuse(response, 400, "invalid_client", "client id and secret are needed");
    } else if (scope == null || !scope.startsWith(Tokens.ROLE_PREFIX)) {
      refuse(response, 400, "invalid_scope", "the scope must begin with " + Tokens.ROLE_PREFIX);
    } else {
      Optional<String> principal = directory.authenticate(client.get().id(), client.get().secret());
      if (principal.isPresent()) {
        Json.send(response, 200, answer(tokens.issue(principal.get(), scope)));
      } else {
        refuse(response, 401, "unauthorized_client", "client id and secret do not match");
      }
    }
  }

  private ObjectNode answer(String token) {
    return Json.object()
        .put("access_token", token)
        .put("token_type", "bearer")
        .put("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
        .put("expires_in", tokens.life().toSeconds());
  }

  /** From the form, else from the header of HTTP Basic. */
  private static Optional<Client> client(HttpServletRequest request) {
    String id = request.getParameter("client_id");
    String secret = request.getParameter("client_secret");
    if (id != null && secret != null) {
      return Optional.of(new Client(id, secret));
    }
    String header = request.getHeader("Authorization");
    if (header == null || !header.startsWith("Basic ")) {
      return Optional.empty();
    }
    try {
      byte[] decoded = Base64.getDecoder().decode(header.substring("Basic ".length()).strip());
      String[] parts = new String(decoded, StandardCharsets.UTF_8).split(":", 2);
      return parts.length == 2 ? Optional.of(new Client(parts[0], parts[1])) : Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static void refuse(
      HttpServletResponse response, int status, String error, String description)
      throws IOException {
    Json.send(
        response, status, Json.object().put("error", error).put("error_description", description));
  }
}
