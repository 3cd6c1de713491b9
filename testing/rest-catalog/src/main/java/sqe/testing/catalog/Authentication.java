package sqe.testing.catalog;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a request pass only with a valid bearer token, and logs what became of it.
 *
 * <p>A refusal has no body, as Polaris' has none.
 */
final class Authentication extends HttpFilter {

  /** The paths that are open: the token endpoint and the one that tells readiness. */
  static final String TOKENS = "/api/catalog/v1/oauth/tokens";

  static final String READY = "/q/health/ready";

  private static final Logger LOG = LoggerFactory.getLogger("sqe.requests");
  private static final String BEARER = "bearer ";

  private final transient Tokens tokens;

  Authentication(Tokens tokens) {
    this.tokens = tokens;
  }

  @Override
  protected void doFilter(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    String path = request.getRequestURI();
    if (path.equals(READY)) {
      chain.doFilter(request, response);
      return;
    }
    long began = System.nanoTime();
    Optional<Caller> caller = Optional.empty();
    if (path.equals(TOKENS)) {
      chain.doFilter(request, response);
    } else {
      caller = caller(request);
      if (caller.isPresent()) {
        request.setAttribute(Caller.ATTRIBUTE, caller.get());
        chain.doFilter(request, response);
      } else {
        response.setStatus(401);
        response.setHeader("WWW-Authenticate", "Bearer");
        response.setContentLength(0);
      }
    }
    LOG.info(
        "{} {} {} {} {} ms",
        response.getStatus(),
        request.getMethod(),
        path,
        caller.map(Caller::principal).orElse("-"),
        (System.nanoTime() - began) / 1_000_000);
  }

  private Optional<Caller> caller(HttpServletRequest request) {
    String header = request.getHeader("Authorization");
    if (header == null || !header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      return Optional.empty();
    }
    return tokens.verify(header.substring(BEARER.length()).strip());
  }
}
