package sqe.testing.catalog;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Enumeration;
import org.apache.iceberg.exceptions.BadRequestException;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;

/**
 * Iceberg's reference implementation of the REST specification, which does the work.
 *
 * <p>It is a servlet that knows neither prefixes nor callers. A request is handed to it with the
 * path that it knows, and its answer is caught.
 */
final class Reference {

  /** This program compares entity tags itself, see {@link Exchange}. */
  private static final String CONDITION = "If-None-Match";

  private final RESTCatalogServlet servlet;

  Reference(MemoryCatalog catalog) {
    this.servlet = new RESTCatalogServlet(new RESTCatalogAdapter(catalog));
  }

  Answer call(Request request, HttpServletResponse response) throws IOException {
    Caught caught = new Caught(response);
    try {
      servlet.service(new Sent(request), caught);
    } catch (JsonProcessingException e) {
      throw new BadRequestException("the body is not as the specification says");
    } catch (ServletException e) {
      throw new IOException(e);
    }
    ObjectNode body = Json.parse(caught.body.toByteArray());
    if (body.path("error") instanceof ObjectNode error) {
      error.remove("stack");
    }
    return Answer.of(caught.status, body);
  }

  private static final class Sent extends HttpServletRequestWrapper {

    private final Request request;

    Sent(Request request) {
      super(request.http());
      this.request = request;
    }

    @Override
    public String getRequestURI() {
      return "/v1/" + request.canonicalPath();
    }

    @Override
    public BufferedReader getReader() {
      return new BufferedReader(new StringReader(request.body().toString()));
    }

    @Override
    public Enumeration<String> getHeaderNames() {
      return Collections.enumeration(
          Collections.list(((HttpServletRequest) getRequest()).getHeaderNames()).stream()
              .filter(name -> !name.equalsIgnoreCase(CONDITION))
              .toList());
    }
  }

  /** As with a real response, a status counts only until the body is complete. */
  private static final class Caught extends HttpServletResponseWrapper {

    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private int status = 200;
    private boolean complete;

    Caught(HttpServletResponse response) {
      super(response);
    }

    @Override
    public void setStatus(int status) {
      if (!complete) {
        this.status = status;
      }
    }

    @Override
    public void setHeader(String name, String value) {
      // Nothing of what the servlet sets is passed on.
    }

    @Override
    public PrintWriter getWriter() {
      OutputStream completing =
          new FilterOutputStream(body) {
            @Override
            public void close() {
              complete = true;
            }
          };
      return new PrintWriter(new OutputStreamWriter(completing, StandardCharsets.UTF_8));
    }
  }
}
