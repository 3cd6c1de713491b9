import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.StringJoiner;

/**
 * Runs statements over JDBC, for each of which it prints the rows of its result, cells separated by
 * tabs. An error it prints with all of its causes, and ends with 1.
 *
 * <p>Arguments: the address, then the statements. The standard input has the properties of the
 * connection, where no other process sees the secrets among them.
 */
public final class Jdbc {

  private Jdbc() {}

  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    properties.load(new StringReader(new String(System.in.readAllBytes())));
    try (Connection connection = DriverManager.getConnection(arguments[0], properties);
        Statement statement = connection.createStatement()) {
      for (int number = 1; number < arguments.length; number++) {
        if (statement.execute(arguments[number])) {
          print(statement.getResultSet());
        }
      }
    } catch (SQLException error) {
      for (Throwable cause = error; cause != null; cause = cause.getCause()) {
        System.err.println(cause);
      }
      System.exit(1);
    }
    // Threads of the driver may be left.
    System.exit(0);
  }

  private static void print(ResultSet rows) throws SQLException {
    int columns = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      StringJoiner line = new StringJoiner("\t");
      for (int column = 1; column <= columns; column++) {
        line.add(String.valueOf(rows.getObject(column)));
      }
      System.out.println(line);
    }
  }
}
