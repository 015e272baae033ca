import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class Failing {
    @Test public void sum() {
        assertEquals(3, 1 + 1);
    }
}
